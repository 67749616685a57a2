"""Several maps of one disk side by side: where any of them says something new, and what each says there."""

from collections.abc import Iterator, Sequence

from blockops.img.extents import Extent, extents
from blockops.img.opening import Chain


def side_by_side(maps: Sequence[Iterator[Extent]]) -> Iterator[tuple[int, int, tuple[Extent, ...]]]:
    """Yield bounds, and the extent of every map that they lie in, until one of the maps ends."""
    current = [next(one, None) for one in maps]
    start = 0
    while all(one is not None for one in current):
        here = tuple(one for one in current if one is not None)
        stop = min(one.end for one in here)
        yield start, stop, here
        start = stop
        current = [one if one.end > stop else next(maps[at], None) for at, one in enumerate(here)]


def padded(chain: Chain | None, size: int) -> Iterator[Extent]:
    """Yield the map of *size* bytes of a chain, or of none: what it lacks reads as zeros."""
    shown = 0 if chain is None else min(chain.size, size)
    if chain is not None and shown:
        yield from extents(chain, 0, shown)
    if shown < size:
        yield Extent(shown, size - shown, 0, False, True, False, None)
