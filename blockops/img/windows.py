"""A chain's contents on their way to another image: in windows of 2 MiB, what is known to be zero unread.

However small the extents are, a window is read as a whole and handed over as a whole, so that a cluster of
the target is written once.
"""

from collections.abc import Iterator
from itertools import groupby, pairwise
from typing import NamedTuple

import attrs

from blockops.img.extents import Extent
from blockops.img.opening import Chain
from blockops.img.reading import PIECE, in_pieces, part, read_extent
from blockops.units import round_down, round_up


class Window(NamedTuple):
    """Extents that follow each other: zeros in whole clusters of the target, or what lies within 2 MiB."""

    parts: tuple[Extent, ...]

    @property
    def start(self) -> int:
        """The first byte."""
        return self.parts[0].start

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.parts[-1].end

    @property
    def zero(self) -> bool:
        """Whether it reads as zeros, as is known without reading it."""
        return all(one.zero for one in self.parts)

    def read(self, chain: Chain) -> bytes:
        """Return its bytes; errors as reading."""
        if len(self.parts) == 1:
            return read_extent(chain, self.parts[0])
        return b"".join(bytes(one.length) if one.zero else read_extent(chain, one) for one in self.parts)


@attrs.frozen
class Cutter:
    """Cuts a source, which goes to *base* of a target that is written in clusters of *cluster* bytes."""

    cluster: int
    base: int = 0

    def windows(self, found: Iterator[Extent]) -> Iterator[Window]:
        """Yield the windows of extents in ascending order, which may leave parts of the disk out.

        What is zero in whole clusters of the target is in windows of its own.
        """
        waiting: list[Extent] = []
        for one in self._cut(found):
            if waiting and not self._together(waiting[-1], one):
                yield Window(tuple(waiting))
                waiting = []
            waiting.append(one)
        if waiting:
            yield Window(tuple(waiting))

    def _together(self, before: Extent, one: Extent) -> bool:
        if before.end != one.start or self._whole(before) or self._whole(one):
            return False
        return (before.end - 1) // PIECE == (one.end - 1) // PIECE

    def _whole(self, one: Extent) -> bool:
        return (
            one.zero and one.length > 0 == (self.base + one.start) % self.cluster == one.length % self.cluster
        )

    def _cut(self, found: Iterator[Extent]) -> Iterator[Extent]:
        """Cut data where windows begin, and zeros where clusters of the target do."""
        for extent in found:
            if extent.zero:
                yield from self._cut_zeros(extent)
            else:
                for start, stop in in_pieces(extent.start, extent.end):
                    yield part(extent, start, stop)

    def _cut_zeros(self, extent: Extent) -> Iterator[Extent]:
        first = round_up(extent.start + self.base, self.cluster) - self.base
        last = round_down(extent.end + self.base, self.cluster) - self.base
        bounds = (extent.start, first, last, extent.end) if first < last else (extent.start, extent.end)
        for start, stop in pairwise(bounds):
            if start < stop:
                yield part(extent, start, stop)


@attrs.frozen
class Grain:
    """How fine zeros are looked for: in pieces of *size* bytes of the disk."""

    size: int

    def split(self, start: int, data: bytes) -> Iterator[tuple[int, int, bool]]:
        """Yield bounds within *data*, which is at *start* of the disk, and whether they hold zeros only."""
        zeros = bytes(min(self.size, len(data)))
        if data.find(zeros) < 0:  # then none of the grains is
            yield 0, len(data), False
            return
        view, bounds = memoryview(data), self._bounds(start, len(data))
        flags = [view[a:b] == zeros[: b - a] for a, b in pairwise(bounds)]
        at = 0
        for zero, group in groupby(flags):
            stop = at + len(list(group))
            yield bounds[at], bounds[stop], zero
            at = stop

    def _bounds(self, start: int, length: int) -> list[int]:
        """Return 0, where grains begin behind it, and *length*."""
        return [0, *range(self.size - start % self.size, length, self.size), length]
