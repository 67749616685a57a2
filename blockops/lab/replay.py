"""Replaying one case: the same run again, watched."""

from collections.abc import Mapping
from typing import Any

import attrs

from blockops.errors import InvalidRequest
from blockops.host.memory import MemoryDisk
from blockops.lab.case import Case, parse_case
from blockops.lab.evidence import Evidence
from blockops.lab.exploring import is_met, record
from blockops.lab.faults import GROUPS
from blockops.lab.gathering import gather
from blockops.lab.interleaving.ordered import OrderedExecution
from blockops.lab.judging import masked_in, usual_of
from blockops.lab.laws import judge
from blockops.lab.laws.judgement import Judgement
from blockops.lab.naming import fault_point
from blockops.lab.results import Event
from blockops.lab.world import from_dict
from blockops.management.contestant import Contestant


@attrs.frozen
class Replayed:
    """A case once more: what happened, what each law says of it, what the fault hit, all that is known.

    *masked*: the fault struck, and nothing is visible of it.  *crashed*: where the hypervisor was killed,
    what was on the disk then, or what a power cut left of it.
    """

    case: str
    timeline: tuple[Event, ...]
    judgements: dict[str, Judgement]
    fault_point: str
    evidence: Evidence
    broken: tuple[str, ...] = ()
    masked: bool = False
    crashed: MemoryDisk | None = None


@attrs.define(eq=False)
class _Watched(OrderedExecution):
    """An execution that keeps what was on the disk when the hypervisor was killed."""

    crashed: MemoryDisk | None = None

    def kill(self) -> None:
        super().kill()
        self.crashed = self.disk.fork()


def replay(
    case_id: str, contestants: tuple[Contestant, ...], worlds: Mapping[str, dict[str, Any]]
) -> Replayed:
    """Run the case with this id; raises `InvalidRequest` where the id names no case."""
    known = {contestant.id: contestant for contestant in contestants}
    case = parse_case(case_id, known, {name: from_dict(plain) for name, plain in worlds.items()})
    _refuse_what_never_strikes(case)
    return watch(case)


def _refuse_what_never_strikes(case: Case) -> None:
    """Raise `InvalidRequest` where the run has no such point, or nothing there that can fail like this."""
    recording = record(case)
    if not is_met(case, recording):
        raise InvalidRequest(
            f"case '{case.id}'",
            f"'{case.fault}' strikes nothing: without a fault there are {len(recording.operations)} host "
            f"operations and {recording.steps} steps, {recording.manager_steps} of them management's; not "
            f"every kind of fault fits every operation",
        )


def watch(case: Case) -> Replayed:
    """Run *case* and return what a reader needs to follow it.

    Raises `InvalidRequest` where somebody cannot step out of turn as its order says.
    """
    execution = _Watched(case, watched=True)
    execution.go()
    if execution.departures < len(case.order.departures):
        raise InvalidRequest(f"case '{case.id}'", f"in the order {case.order} somebody cannot take a step")
    # Of a power cut less survives than there was when it ended the hypervisor.
    crashed = execution.disk.fork() if execution.evidence.power_lost else execution.crashed
    evidence = gather(execution)
    judgements = dict(judge(evidence))
    return Replayed(
        case.id,
        tuple(execution.timeline),
        judgements,
        _fault_point(case, evidence),
        evidence,
        evidence.broken,
        masked_in(evidence, judgements, usual_of(case)),
        crashed,
    )


def _fault_point(case: Case, evidence: Evidence) -> str:
    struck = [trouble.first for trouble in evidence.troubles if trouble.first] or evidence.hits[:1]
    if struck:
        return ", then ".join(fault_point(one, evidence.disk, case.world) for one in struck)
    return GROUPS[case.fault.group]


def abridged(timeline: tuple[Event, ...], limit: int = 40) -> tuple[Event, ...]:
    """Return the events that tell the story: without the guest's ordinary requests.

    Of more than *limit* of them the middle is left out, and says so; what the fault did always stays.
    """
    told = [event for event in timeline if event.actor != "guest" or _telling(event.text)]
    if len(told) <= limit:
        return tuple(told)
    first, middle, last = told[: limit // 2], told[limit // 2 : -limit // 2], told[-limit // 2 :]
    faults = [event for event in middle if event.actor == "fault"]
    gap = Event(
        middle[0].step, "management", f"… {len(middle) - len(faults)} events left out: see the replay"
    )
    return (*first, *([gap] if len(middle) > len(faults) else []), *faults, *last)


def _telling(text: str) -> bool:
    return "failed" in text or "queued" in text
