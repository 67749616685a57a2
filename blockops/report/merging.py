"""Which places share a row: the one place where a report merges.

A place is a use case with its devices, its world and its sort of faults: `retry-2`, `retry-2~3fa9c1`,
`retry-2 pairs`.  The first place of a use case has a row of its own, and so has every one that was judged to
the last case.  The others were sampled, or cut off, and say little one by one; those that differ from the
first in the same respect are one grey row: other numbers of devices, further worlds, and each sort of faults
that is named behind the blank, whatever sorts there will be.  A use case that cannot be asked for is one row.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

import attrs

from blockops.lab.results import Coverage
from blockops.report.case import Place, place_of

DEVICES = "other numbers of devices"
WORLDS = "further worlds"
INEXPRESSIBLE = "inexpressible"


@attrs.frozen
class Group:
    """Places of one use case that share a row, and what they are called together."""

    name: str
    places: tuple[str, ...]


def groups(places: Mapping[str, Coverage | None], inexpressible: Collection[str]) -> tuple[Group, ...]:
    """Return the rows of one contestant, in the order of their first places.

    *places* have what was tried in each of them, None where nothing was; *inexpressible* are those that
    the contestant cannot be asked for.
    """
    firsts: dict[str, str] = {}
    found: dict[tuple[str, str], list[str]] = {}
    for name, coverage in places.items():
        place = place_of(name)
        first = firsts.setdefault(place.use_case, name) == name
        if name in inexpressible:
            why = INEXPRESSIBLE
        else:
            why = name if first or _to_the_last_case(coverage) else respect(place)
        found.setdefault((place.use_case, why), []).append(name)
    return tuple(Group(_together(why, names), tuple(names)) for (_, why), names in found.items())


def respect(place: Place) -> str:
    """Return in what respect *place* may differ from the first of its use case."""
    return place.faults or (WORLDS if place.world else DEVICES)


def devices_of(places: Iterable[Place]) -> str:
    """Return the numbers of devices, runs of them drawn together: "1, 3–8 devices"."""
    numbers = sorted({int(place.devices) for place in places if place.devices.isdecimal()})
    drawn = ", ".join(_runs(numbers))
    return f"{drawn} device{'s' if drawn != '1' else ''}"


def worlds_of(places: Iterable[Place]) -> str:
    """Return how many further worlds there are: "3 further worlds"."""
    number = len({place.world for place in places})
    return f"{number} further world{'s' if number > 1 else ''}"


def _to_the_last_case(coverage: Coverage | None) -> bool:
    return coverage is not None and not coverage.sampled and not coverage.truncated


def _together(why: str, names: Sequence[str]) -> str:
    """Name a row: by its place where it has one, else by what its places have in common."""
    if len(names) == 1:
        return names[0]
    places = [place_of(name) for name in names]
    use_case = places[0].use_case
    if why == INEXPRESSIBLE:
        return use_case
    if why == DEVICES:
        return f"{use_case} with {devices_of(places)}"
    if why == WORLDS:
        return f"{use_case} in {worlds_of(places)}"
    return f"{use_case} {why}"


def _runs(numbers: Sequence[int]) -> Iterable[str]:
    """Yield ascending *numbers* with runs of them drawn together: "1", "3–8"."""
    starts = [number for number in numbers if number - 1 not in numbers]
    ends = [number for number in numbers if number + 1 not in numbers]
    for start, end in zip(starts, ends, strict=True):
        yield f"{start}" if start == end else f"{start}–{end}"
