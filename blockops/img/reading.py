"""The bytes of an extent, read from the file that holds them, without a way through the layers above it."""

from collections.abc import Iterator
from typing import Final

from blockops.host.api import read_exactly
from blockops.img.extents import Extent
from blockops.img.opening import Chain
from blockops.units import MIB

PIECE: Final = 2 * MIB
"""The most that is in memory of an image at a time, and the most that one system call moves."""


def read_extent(chain: Chain, extent: Extent) -> bytes:
    """Return the bytes of an extent of *chain*; errors as reading the image.

    For extents that are not zero and no longer than memory allows.
    """
    layer = chain.layers[extent.depth]
    if extent.offset is None:  # compressed: only the image knows where
        return layer.image.read(extent.start, extent.length)
    data = read_exactly(layer.data, extent.offset, extent.length)
    # The last cluster of a file need not be whole.
    return data if len(data) == extent.length else data.ljust(extent.length, b"\0")


def part(extent: Extent, start: int, end: int) -> Extent:
    """Return what of *extent* is between *start* and *end*."""
    first, last = max(start, extent.start), min(end, extent.end)
    offset = None if extent.offset is None else extent.offset + first - extent.start
    return extent._replace(start=first, length=last - first, offset=offset)


def in_pieces(start: int, end: int, size: int = PIECE) -> Iterator[tuple[int, int]]:
    """Yield the bounds of pieces of at most *size* bytes, cut where multiples of it are."""
    while start < end:
        stop = min(end, (start // size + 1) * size)
        yield start, stop
        start = stop
