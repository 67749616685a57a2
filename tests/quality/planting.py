"""A planted bug: where it comes from, how it gets into the running code, and what the lab must say of it."""

import functools
from collections.abc import Callable

import attrs
import pytest

from blockops.lab.world import World
from blockops.management.use_cases import USE_CASES
from tests.lab.cases import explore, setting, violated

BUDGET = 120
"""How many cases of a setting the lab gets to find a planted bug."""

CORE = "a broken invariant of the core"
"""What a bug in the core may be found as, instead of as a violated law."""

Plant = Callable[[pytest.MonkeyPatch], None]


@attrs.frozen
class Where:
    """A setting, and the groups of faults that are tried in it (None: all)."""

    contestant: str
    use_case: str
    groups: frozenset[str] | None = None
    world: World | None = None

    @property
    def devices(self) -> World:
        """The world: the standard one of the use case, unless another is wanted."""
        return self.world or World(devices=USE_CASES[self.use_case].device_counts[0])


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
    start = setting(place.contestant, place.use_case, place.devices)
    found: set[str] = set()
    for one in explore(start, place.groups, BUDGET):
        found.update(violated(one))
        found.update([CORE] if one.broken else [])
    return frozenset(found)


def found_with(bug: Bug) -> str | None:
    """Return what the lab says of the planted bug, or None where it does not see it within the budget."""
    place = bug.where
    start = setting(place.contestant, place.use_case, place.devices)
    for one in explore(start, place.groups, BUDGET):
        if bug.law == CORE and one.broken:
            return one.broken[0]
        if bug.law in violated(one):
            return f"{one.case}: {violated(one)[bug.law].sentence}"
    return None
