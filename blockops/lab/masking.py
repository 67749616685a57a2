"""Whether a fault that struck shows in anything: if not, it is *masked*.

Visible is what somebody could tell the case by from the same setting, under the same order, in which nothing
breaks:

* a law finds something (its precondition may be about the fault, so *held* is as good as *not exercised*);
* the guest: a request failed, or a read returned something else;
* management: other commands, other answers, another end, other books;
* the devices: what they show, and what the hypervisor holds on to and has told;
* the disk: which files there are, and what every one of them holds; management's own notes left out.

How long something took, in steps or in host operations, is not visible; that a process has died always is.
"""

import itertools
from collections.abc import Iterator, Mapping

from blockops.lab.case import Case
from blockops.lab.evidence import Evidence
from blockops.lab.faults.pace import NoFault
from blockops.lab.laws.judgement import Judgement
from blockops.lab.results import Verdict

Outside = tuple[object, ...]
"""What is visible of a case, in the order in which cases are most likely to differ."""


def outside(evidence: Evidence, judgements: Mapping[str, Judgement]) -> Iterator[object]:
    """Yield what is visible of a case, piece by piece."""
    yield evidence.ending, evidence.failure
    yield evidence.digests_after
    yield from ((one.command, one.arguments, one.answer) for one in evidence.exchanges)
    yield len(evidence.exchanges)
    yield [(law, one.verdict, one.key) for law, one in judgements.items() if one.verdict in _FINDINGS]
    yield [(one.device, one.operation) for one in evidence.history.errors], len(evidence.history.misread)
    yield evidence.live, evidence.books
    yield evidence.rest, evidence.told


_FINDINGS = (Verdict.VIOLATED, Verdict.UNKNOWN)


def is_usual(evidence: Evidence) -> bool:
    """Whether nothing is broken in the case."""
    return isinstance(evidence.case.fault, NoFault)


def remember(evidence: Evidence, judgements: Mapping[str, Judgement]) -> None:
    """Keep what is visible of a case in which nothing breaks, for others of its setting under its order."""
    if len(_remembered) >= _ROOM:
        _remembered.clear()
    _remembered[_setting(evidence.case)] = tuple(outside(evidence, judgements))


def remembered(case: Case) -> Outside | None:
    """Return what was kept of the setting of *case* under its order, None if nothing was."""
    return _remembered.get(_setting(case))


def _setting(case: Case) -> str:
    return f"{case.contestant.id}/{case.setting}/{case.order}"


_remembered: dict[str, Outside] = {}
_ROOM = 64


def is_masked(evidence: Evidence, judgements: Mapping[str, Judgement], usual: Outside) -> bool:
    """Whether nothing is visible of a fault that struck; *usual*: what is visible where nothing breaks."""
    if evidence.killed or is_usual(evidence):
        return False
    pairs = itertools.zip_longest(outside(evidence, judgements), usual)
    return all(here == there for here, there in pairs)
