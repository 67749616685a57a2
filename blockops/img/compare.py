"""Whether two images show a guest the same bytes, and where they first do not.

Only what is data on either side is read, in pieces; what both have in the same place of the same file is
the same, and what both know to be zero as well.  The place of a difference is its sector.
"""

import enum
from collections.abc import Callable, Iterator
from typing import Final

import attrs

from blockops.errors import BlockError
from blockops.img.aligned import padded, side_by_side
from blockops.img.extents import Extent
from blockops.img.opening import Chain
from blockops.img.reading import PIECE, in_pieces, part, read_extent
from blockops.units import SECTOR

_ZEROS: Final = bytes(PIECE)

Progress = Callable[[int, int], None]


class Difference(enum.Enum):
    """In what two images differ."""

    CONTENT = "content"
    STATUS = "block status"
    SIZE = "size"


@attrs.frozen
class Comparison:
    """How two images compare; *offset* is that of the first sector that differs, in bytes.

    *sizes_differ*: all of the shorter image is in the longer one; where there are zeros behind it, they show
    the same.
    """

    difference: Difference | None
    offset: int = 0
    sizes_differ: bool = False


class Stage(enum.IntEnum):
    """What a comparison was doing when it failed: the exit codes of qemu-img."""

    MAPPING = 3
    READING = 4


@attrs.define(eq=False)
class ComparisonFailed(BlockError):
    """Two open images could not be compared; *cause* says why."""

    stage: Stage
    cause: BlockError

    @property
    def message(self) -> str:
        return self.cause.message


def compare(
    one: Chain, other: Chain, *, strict: bool = False, progress: Progress | None = None
) -> Comparison:
    """Compare two open images.

    *strict*: images of different sizes differ, and so do images that do not tell the same of the same bytes:
    data, zero, or nothing of their own.  Raises `ComparisonFailed`.
    """
    sizes_differ = one.size != other.size
    if strict and sizes_differ:
        return Comparison(Difference.SIZE, sizes_differ=True)
    common, total = min(one.size, other.size), max(one.size, other.size)
    for start, stop, (left, right) in _mapped(side_by_side((padded(one, total), padded(other, total)))):
        if strict and _status(left, one) != _status(right, other):
            return Comparison(Difference.STATUS, start)
        mismatch = _mismatch(one, part(left, start, stop), other, part(right, start, stop))
        if mismatch is not None:
            return Comparison(Difference.CONTENT, mismatch, sizes_differ and mismatch >= common)
        if progress is not None:
            progress(stop, total)
    return Comparison(None, sizes_differ=sizes_differ)


def _status(extent: Extent, chain: Chain) -> tuple[bool, bool, bool, bool, bool]:
    at_end = extent.end == chain.size
    return extent.present, extent.zero, extent.data, extent.offset is not None, at_end


_Parts = Iterator[tuple[int, int, tuple[Extent, ...]]]


def _mapped(parts: _Parts) -> _Parts:
    try:
        yield from parts
    except BlockError as error:
        raise ComparisonFailed(Stage.MAPPING, error) from error


def _mismatch(one: Chain, left: Extent, other: Chain, right: Extent) -> int | None:
    """Return the first sector in which two extents of the same bytes differ."""
    if (left.zero and right.zero) or same_place(one, left, other, right):
        return None
    for start, stop in in_pieces(left.start, left.end):
        try:
            mine = _bytes(one, part(left, start, stop))
            others = _bytes(other, part(right, start, stop))
        except BlockError as error:
            raise ComparisonFailed(Stage.READING, error) from error
        if mine != others:
            return start + first_difference(memoryview(mine), memoryview(others))
    return None


def same_place(one: Chain, left: Extent, other: Chain, right: Extent) -> bool:
    """Whether two extents are in the same place of the same file."""
    here, there = one.layers[left.depth].data.path, other.layers[right.depth].data.path
    return left.offset is not None and left.offset == right.offset and here == there


def _bytes(chain: Chain, extent: Extent) -> bytes | memoryview:
    return memoryview(_ZEROS)[: extent.length] if extent.zero else read_extent(chain, extent)


def first_difference(one: memoryview, other: memoryview) -> int:
    """Return the offset of the first sector in which two views of one length, which are not equal, differ."""
    start, sectors = 0, -(-len(one) // SECTOR)
    while sectors > 1:
        half = sectors // 2 * SECTOR
        if one[start : start + half] == other[start : start + half]:
            start += half
            sectors -= sectors // 2
        else:
            sectors //= 2
    return start
