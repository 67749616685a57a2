"""What other packages bring: contestants, use cases, families of faults, and laws, by entry point.

    group                    an entry point names
    blockops.contestants     an `Entry`, or a tuple of them
    blockops.use_cases       a `UseCaseOf`: a use case, and who fulfils it with which program
    blockops.faults          a `Family`
    blockops.laws            a `LawOf`: a law, and the function that judges it

What is brought stands behind what there is, in the order of the packages' names.  One that does not
load, is not what it must be, or takes a name that is taken, ends everything: a comparison in which
somebody is silently missing would be believed.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

import attrs

from blockops.errors import BlockError
from blockops.lab import faults, laws
from blockops.lab.evidence import Evidence
from blockops.lab.faults.fault import Family
from blockops.lab.laws.judgement import Judgement
from blockops.lab.results import Law
from blockops.management import contestant, use_cases
from blockops.management.contestant import Entry, Manager, Program
from blockops.management.use_cases import UseCase, fit_for_a_case_id

T = TypeVar("T")

CONTESTANTS = "blockops.contestants"
USE_CASES = "blockops.use_cases"
FAULTS = "blockops.faults"
LAWS = "blockops.laws"


@attrs.frozen
class UseCaseOf:
    """A use case, and the programs of those who fulfil it: design's id → manager → program."""

    use_case: UseCase
    programs: Mapping[str, Mapping[Manager, Program]]


@attrs.frozen
class LawOf:
    """A law, and what judges it: held, violated or not exercised, from the evidence and nothing else."""

    law: Law
    judge: Callable[[Evidence], Judgement]


@attrs.define(eq=False)
class UnusablePlugIn(BlockError):
    """A package brings something that cannot be used; *problem* says why."""

    point: EntryPoint
    problem: str

    @property
    def message(self) -> str:
        package = self.point.dist.name if self.point.dist is not None else "?"
        return f"plug-in '{self.point.name}' of package {package} ({self.point.group}): {self.problem}"


@attrs.frozen
class PlugIns:
    """What was brought: *entries* for the catalogue, *versions* of the packages that brought anything.

    *modules* are the names of those packages in Python.
    """

    entries: tuple[Entry, ...] = ()
    versions: Mapping[str, str] = attrs.field(factory=dict)
    modules: tuple[str, ...] = ()


@cache
def plugged_in() -> PlugIns:
    """Load all that is installed, once, and make it known; raises `UnusablePlugIn`."""
    points = [point for group in (USE_CASES, FAULTS, LAWS, CONTESTANTS) for point in _points(group)]
    entries = tuple(entry for point in points for entry in _loaded(point))
    return PlugIns(
        entries,
        {point.dist.name: point.dist.version for point in points if point.dist is not None},
        tuple(sorted({point.module.partition(".")[0] for point in points})),
    )


def _points(group: str) -> list[EntryPoint]:
    return sorted(entry_points(group=group), key=lambda one: (one.dist.name if one.dist else "", one.name))


def _loaded(point: EntryPoint) -> Iterator[Entry]:
    """Make known what *point* names; yield the contestants among it."""
    try:
        brought = point.load()
    except Exception as error:  # a stranger's code may raise anything
        raise UnusablePlugIn(point, f"it does not load: {type(error).__name__}: {error}") from error
    try:
        yield from _TAKE[point.group](brought)
    except (TypeError, ValueError) as error:
        raise UnusablePlugIn(point, str(error)) from error


def _be(kind: type[T], brought: object) -> T:
    if not isinstance(brought, kind):
        raise TypeError(f"it must be of type {kind.__name__}, not {type(brought).__name__}")
    return brought


def _take_contestants(brought: object) -> Iterator[Entry]:
    for entry in brought if isinstance(brought, tuple) else (brought,):
        if not fit_for_a_case_id(_be(Entry, entry).id):
            raise ValueError(f"'{entry.id}' cannot stand in a case id")
        yield entry


def _take_use_case(brought: object) -> Iterator[Entry]:
    found = _be(UseCaseOf, brought)
    use_cases.register(found.use_case)
    contestant.register(found.use_case.id, found.programs)
    yield from ()


def _take_faults(brought: object) -> Iterator[Entry]:
    faults.register(_be(Family, brought))
    yield from ()


def _take_law(brought: object) -> Iterator[Entry]:
    found = _be(LawOf, brought)
    laws.register(found.law, found.judge)
    yield from ()


_TAKE: Mapping[str, Callable[[object], Iterator[Entry]]] = {
    CONTESTANTS: _take_contestants,
    USE_CASES: _take_use_case,
    FAULTS: _take_faults,
    LAWS: _take_law,
}
