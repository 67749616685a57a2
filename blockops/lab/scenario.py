"""A scenario: one way in which things have gone wrong for people, by name, and who here suffers it.

It selects a use case and groups of faults, and brings an oracle of its own, which tells this class of
failure from every other.  All contestants that express the use case go through the same faults; of many
cases a fixed number is taken, some of each group, so that a scenario is short.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from functools import partial

import attrs

from blockops.lab.case import Case
from blockops.lab.evidence import Evidence
from blockops.lab.exploring import record_once, space
from blockops.lab.faults.fault import Fault
from blockops.lab.faults.pace import NoFault
from blockops.lab.judging import evidence_of
from blockops.lab.laws.judgement import Judgement
from blockops.lab.plan import Roster, Settings, chosen
from blockops.lab.results import Report, Scene, Suffering, Verdict
from blockops.lab.work import enlisted
from blockops.lab.world import World
from blockops.management.contestant import Contestant, Inexpressible
from blockops.management.use_cases import USE_CASES

CASES = 60
"""How many cases of a contestant a scenario takes, the one without a fault always among them."""

LEAST = 10
"""How many of those it takes at least from each group of faults, where there are so many."""

Oracle = Callable[[Evidence], Judgement]
"""Violated: the contestant suffers it in this case; not exercised: the case says nothing about it."""


@attrs.frozen
class Scenario:
    """What goes wrong (*says*), how it is recognised (*tells*), and where people have reported it.

    *kind* is the class of failures-in-the-wild: "F1"; *faults* are groups of `faults.GROUPS`.
    """

    id: str
    kind: str
    says: str
    tells: str
    use_case: str
    faults: tuple[str, ...]
    oracle: Oracle
    reports: tuple[Report, ...]


Play = Callable[[], tuple[Scenario, ...]]
"""Returns all scenarios; it crosses to other processes by its name, as a roster does."""


def played(
    settings: Settings, roster: Roster, play: Play, names: Iterable[str], executor: Executor
) -> tuple[Scene, ...]:
    """Let every contestant that *settings* choose go through the scenarios *names*, in parallel."""
    asked = [scenario for scenario in play() if scenario.id in set(names)]
    contestants = [one for one in enlisted(roster).values() if chosen(settings, one)]
    each = [(scenario, one) for scenario in asked for one in contestants if _expresses(one, scenario)]
    suffer = partial(suffering, roster, play)
    rows = list(executor.map(suffer, (s.id for s, _ in each), (one.id for _, one in each)))
    return tuple(
        _scene(scenario, [row for (one, _), row in zip(each, rows, strict=True) if one is scenario])
        for scenario in asked
    )


def _expresses(contestant: Contestant, scenario: Scenario) -> bool:
    return not isinstance(contestant.program(scenario.use_case), Inexpressible)


def _scene(scenario: Scenario, rows: Iterable[Suffering]) -> Scene:
    return Scene(
        scenario.id,
        scenario.kind,
        scenario.says,
        scenario.tells,
        scenario.use_case,
        scenario.faults,
        scenario.reports,
        tuple(rows),
    )


def suffering(roster: Roster, play: Play, scenario_id: str, contestant_id: str) -> Suffering:
    """Return how one contestant fares in one scenario."""
    (scenario,) = (one for one in play() if one.id == scenario_id)
    start = start_of(scenario, enlisted(roster)[contestant_id])
    found = [(fault, scenario.oracle(evidence_of(case))) for fault, case in cases_of(start, scenario)]
    bad = [(fault, one) for fault, one in found if one.verdict is Verdict.VIOLATED]
    return Suffering(
        contestant_id,
        cases=len(found),
        exercised=sum(one.verdict is not Verdict.NOT_EXERCISED for _, one in found),
        suffered=len(bad),
        smallest=attrs.evolve(start, fault=bad[0][0]).id if bad else None,
        sentence=bad[0][1].sentence if bad else "",
    )


def start_of(scenario: Scenario, contestant: Contestant) -> Case:
    """Return the scenario's case without a fault."""
    use_case = USE_CASES[scenario.use_case]
    return Case(contestant, use_case, World(devices=use_case.device_counts[0]), NoFault())


def cases_of(start: Case, scenario: Scenario) -> Iterator[tuple[Fault, Case]]:
    """Yield the case without a fault, then some of each group, spread over its list, the rarest group first.

    Of each group as large a part is taken, but at least LEAST: a manager has few steps to die at, and the
    host many operations to fail.
    """
    listed = space(start, record_once(start), frozenset(scenario.faults), complete=True).faults
    *small, largest = sorted(
        ([fault for fault in listed if fault.group == group] for group in scenario.faults), key=len
    )
    some = [_spread(faults, max(LEAST, CASES * len(faults) // len(listed))) for faults in small]
    left = CASES - 1 - sum(map(len, some))
    for fault in [NoFault(), *itertools.chain(*some), *_spread(largest, left)]:
        yield fault, attrs.evolve(start, fault=fault)


def _spread(faults: Sequence[Fault], count: int) -> list[Fault]:
    return [faults[number] for number in sorted({n * len(faults) // count for n in range(count)}) if faults]
