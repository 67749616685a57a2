"""A filter that remembers what was written: what a copying job still has to copy.

The disk is divided into chunks.  A chunk is dirty when the source may hold something there that the copy
lacks.  Reads, writes and flushes go to the source alone, so nothing that befalls the copy is ever the
guest's concern; a write marks its chunks whether it succeeded or not, for a failed one may have changed
part of them.
"""

import attrs

from blockops.graph.filter import Filter


@attrs.define(eq=False)
class DirtyMap:
    """Which chunks of *size* bytes are dirty; a chunk has *chunk* bytes, the last one perhaps fewer."""

    size: int
    chunk: int
    _bits: bytearray = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._bits = bytearray(-(-self.size // self.chunk))

    @property
    def count(self) -> int:
        """How many chunks are dirty."""
        return self._bits.count(1)

    def mark(self, offset: int, length: int) -> None:
        """Mark every chunk that [offset, offset + length) touches; what is outside the disk is no chunk."""
        first, end = max(offset, 0) // self.chunk, -(-min(offset + length, self.size) // self.chunk)
        if end > first:
            self._bits[first:end] = b"\1" * (end - first)

    def clear(self, number: int) -> None:
        """Let chunk *number* be clean."""
        self._bits[number] = 0

    def next(self, start: int) -> int | None:
        """Return the first dirty chunk from number *start* on, going round once; None where all are clean."""
        found = self._bits.find(1, start)
        if found < 0:
            found = self._bits.find(1)
        return None if found < 0 else found

    def range_of(self, number: int) -> tuple[int, int]:
        """Return offset and length of a chunk in bytes."""
        offset = number * self.chunk
        return offset, min(self.chunk, self.size - offset)


@attrs.define(eq=False)
class TrackingNode(Filter):
    """A filter above *upper* that marks in *dirty* what is written; *target* is the copy, kept open by it."""

    dirty: DirtyMap

    def write(self, offset: int, data: bytes) -> None:
        try:
            self.upper.write(offset, data)
        finally:
            self.dirty.mark(offset, len(data))

    def write_zeroes(self, offset: int, length: int) -> None:
        try:
            self.upper.write_zeroes(offset, length)
        finally:
            self.dirty.mark(offset, length)

    def discard(self, offset: int, length: int) -> None:
        try:
            self.upper.discard(offset, length)
        finally:
            self.dirty.mark(offset, length)
