"""A scenario: one way in which things have gone wrong for people, by name, and who here suffers it.

It names a use case and groups of faults, and brings an oracle of its own, which tells this class of failure
from every other.  It is seen in the cases of a comparison that belong to it, as they are judged: those of
its use case with the devices that are its own, without a fault or with one of its groups.
"""

from collections.abc import Callable, Iterator, Mapping

import attrs

from blockops.lab.case import Case
from blockops.lab.evidence import Evidence
from blockops.lab.faults import FAMILIES
from blockops.lab.faults.fault import Fault
from blockops.lab.faults.host import PAIR
from blockops.lab.faults.pace import NoFault
from blockops.lab.laws.judgement import Judgement
from blockops.lab.results import Report
from blockops.lab.world import World
from blockops.management.use_cases import USE_CASES

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

    @property
    def world(self) -> World:
        """The one in which it is seen."""
        return World(devices=USE_CASES[self.use_case].device_counts[0])

    def meets(self, fault: Fault) -> bool:
        """Whether a case with this fault, in the scenario's use case and world, belongs to it."""
        return fault.group in self.faults or isinstance(fault, NoFault)


_SCENARIOS: dict[str, Scenario] = {}

SCENARIOS: Mapping[str, Scenario] = _SCENARIOS
"""All that are known, in the order in which a report shows them."""


def register(scenario: Scenario) -> None:
    """Make a scenario known, in place of another that has its id."""
    _SCENARIOS[scenario.id] = scenario


def seen_in(evidence: Evidence) -> dict[str, Judgement]:
    """Return what the oracles say of a case, those to whose scenarios it or an equal case may belong."""
    return {scenario.id: scenario.oracle(evidence) for scenario in _looking_at(evidence.case)}


def _looking_at(case: Case) -> Iterator[Scenario]:
    related = _related(case.fault)
    for scenario in SCENARIOS.values():
        there = scenario.use_case == case.use_case.id and scenario.world == case.world
        if there and (scenario.meets(case.fault) or not related.isdisjoint(scenario.faults)):
            yield scenario


def _related(fault: Fault) -> frozenset[str]:
    """Return the groups that cases which equal one with *fault* may be of (`judging`)."""
    if fault.group == PAIR:
        return frozenset()
    return next((frozenset(one.groups) for one in FAMILIES if fault.group in one.groups), frozenset())
