"""What is known of a part of a disk without reading it: whether it has a place in a file, or is zeros."""

from collections.abc import Iterator
from typing import NamedTuple

from blockops.graph.node import ImageNode, Node
from blockops.qcow2.image import Qcow2Image
from blockops.qcow2.mapping import Kind


class Stretch(NamedTuple):
    """*length* bytes of a disk that have a place in a file or not (*allocated*), or that are *zero*.

    What is neither allocated nor zero does not occur; what is allocated may be zeros all the same.
    """

    length: int
    allocated: bool
    zero: bool


_DATA, _ZEROS = (True, False), (False, True)


def stretches(node: Node, offset: int, length: int) -> Iterator[Stretch]:
    """Yield what is known of *length* bytes from *offset* of what a reader of *node* sees, in order.

    Of a raw image all is called allocated.  Raises as reading does.
    """
    end, before = offset + length, Stretch(0, *_DATA)
    while offset < end:
        now = _first(node, offset, end - offset)
        if before.length and before[1:] != now[1:]:
            yield before
            before = now
        else:
            before = Stretch(before.length + now.length, *now[1:])
        offset += now.length
    if before.length:
        yield before


def holds(node: ImageNode, offset: int, length: int) -> bool:
    """Return whether any byte of that range is this image's own, be it zero, and not its backing's."""
    image, end = node.image, offset + length
    if not isinstance(image, Qcow2Image):
        return True
    while offset < end:
        kind, run = image.stretch(offset, end - offset)
        if kind is not Kind.UNALLOCATED:
            return True
        offset += run
    return False


def _first(node: Node, offset: int, length: int) -> Stretch:
    """Return what is known of the first of *length* > 0 bytes, and of those behind them that are alike."""
    while True:
        source = node.source
        image = source.image
        if not isinstance(image, Qcow2Image):
            return Stretch(length, *_DATA)
        kind, length = image.stretch(offset, length)
        backing = source.backing
        if kind is not Kind.UNALLOCATED:
            return Stretch(length, *(_ZEROS if kind is Kind.ZERO else _DATA))
        if backing is None or offset >= backing.size:
            return Stretch(length, *_ZEROS)
        node, length = backing, min(length, backing.size - offset)
