"""A planted bug: where it comes from, how it gets into the running code, and what the lab must say of it."""

import functools
from collections.abc import Callable, Iterator

import attrs
import pytest

from blockops.lab.case import Case, under
from blockops.lab.crossing import crossed_faults
from blockops.lab.exploring import record_once, space_of
from blockops.lab.faults import parse_fault
from blockops.lab.faults.pace import NoFault
from blockops.lab.interleaving.judged import orders_of
from blockops.lab.judging import Judged, Judging
from blockops.lab.power.cuts import power_cases, recovery_cases
from blockops.lab.power.models import Model
from blockops.lab.world import World
from blockops.management.use_cases import USE_CASES
from tests.lab.cases import explore, setting, violated

BUDGET = 120
"""How many cases of a setting the lab gets to find a planted bug, where faults are tried in it."""

CORE = "a broken invariant of the core"
"""What a bug in the core may be found as, instead of as a violated law."""

Plant = Callable[[pytest.MonkeyPatch], None]


@attrs.frozen
class Where:
    """A setting, and what is tried in it: these groups of faults (None: all), or else one of the rest.

    *models*: every power cut by these models; *again*: and during every recovery one more by these.
    *orders*: all orders with at most so many departures more than the order *under* (empty: the scheduler's
    own); where that is 0, the faults of *groups* under that order.
    """

    contestant: str
    use_case: str
    groups: frozenset[str] | None = None
    world: World | None = None
    models: tuple[Model, ...] = ()
    again: tuple[Model, ...] = ()
    under: str = ""
    orders: int = 0

    @property
    def devices(self) -> World:
        """The world: the standard one of the use case, unless another is wanted."""
        return self.world or World(devices=USE_CASES[self.use_case].device_counts[0])

    def cases(self) -> Iterator[Judged]:
        """Yield the cases that are tried, the simplest first."""
        start = setting(self.contestant, self.use_case, self.devices)
        if self.again:
            yield from recovery_cases(start, self.models, self.again)[1]
        elif self.models:
            yield from power_cases(start, self.models)[1]
        elif self.orders or self.under:
            yield from self._ordered(under(start, f"{start.fault}/{self.under}"))
        else:
            yield from explore(start, self.groups, BUDGET)

    def _ordered(self, start: Case) -> Iterator[Judged]:
        if self.orders:
            yield from (ran.outcome for ran in orders_of(start, self.orders).orders())
            return
        recording = record_once(start)
        faults = tuple(one for one in crossed_faults(start, recording) if one.group in (self.groups or ()))
        judging = Judging(start, space_of(recording, faults))
        yield from map(judging.judge, faults)


@attrs.frozen
class Bug:
    """A defect that is planted in the running code; *law* is the one that it must be seen to break.

    *source*: which historical bug it is, or what it stands for.
    """

    name: str
    source: str
    where: Where
    law: str
    plant: Plant


def where(contestant: str, use_case: str, *groups: str, world: World | None = None) -> Where:
    """Return a setting with its groups of faults, all of them where none is named."""
    return Where(contestant, use_case, frozenset(groups) or None, world)


@functools.cache
def broken_by_nature(place: Where) -> frozenset[str]:
    """Return what the code without any planted bug violates there; to be asked before planting."""
    found: set[str] = set()
    for one in place.cases():
        found.update(violated(one))
        found.update([CORE] if one.broken else [])
    return frozenset(found)


def found_with(bug: Bug) -> str | None:
    """Return the first case in which the lab sees the planted bug, None where it does not see it."""
    for one in bug.where.cases():
        if bug.law in violated(one) or (bug.law == CORE and one.broken):
            return one.case
    return None


def group_of(case: str) -> str:
    """Return the group of the fault of a case, and whether somebody stepped out of turn."""
    fault, *order = case.split("/")[2:]
    group = parse_fault(fault).group
    if not order:
        return group
    return "order" if group == NoFault.group else f"order × {group}"
