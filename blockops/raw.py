"""A raw image: the guest's bytes are the file's bytes, and nothing else is in it.

A file whose length is not a multiple of a sector shows as rounded up, with zeroes behind its end, as
in QEMU; a write there makes the file longer.  Nothing is kept in memory, so what a failed flush has
lost cannot be written again: flushes fail from then on, until the image is opened anew (QEMU's
file-posix does the same, for the same reason).
"""

from typing import Final

import attrs

from blockops.errors import Effect, HostError, InvalidRequest
from blockops.host.api import HostFile, read_exactly, write_fully
from blockops.units import MIB, SECTOR, round_up

_ZEROES: Final = memoryview(bytes(MIB))


@attrs.define(eq=False)
class RawImage:
    """An open raw image.  Offsets, lengths and sizes are bytes; a range outside is `InvalidRequest`."""

    _file: HostFile
    _size: int = attrs.field(init=False)
    # Whether the file may hold something that no flush has covered.
    _dirty: bool = attrs.field(default=False, init=False)
    _failed_flush: HostError | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._size = round_up(self._file.size(), SECTOR)

    @property
    def path(self) -> str:
        """The file's absolute name."""
        return self._file.path

    @property
    def size(self) -> int:
        """The guest's size, a multiple of a sector."""
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly *length* bytes; behind the end of the file are zeroes."""
        self._demand_inside(offset, length)
        data = read_exactly(self._file, offset, length)
        return data if len(data) == length else data.ljust(length, b"\0")

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write *data*.  After an error an unknown part of it may be in the file."""
        self._demand_inside(offset, len(data))
        self._demand_writable()
        if len(data):
            self._dirty = True
            write_fully(self._file, offset, data)

    def write_zeroes(self, offset: int, length: int) -> None:
        """Make the range read as zeroes, by writing them.  An error is as in `write`."""
        self._demand_inside(offset, length)
        end = offset + length
        for start in range(offset, end, MIB):
            self.write(start, _ZEROES[: end - start])

    def discard(self, offset: int, length: int) -> None:
        """Do nothing: a discard is a hint, and a host file has no way here to give space back."""
        self._demand_inside(offset, length)
        self._demand_writable()

    def flush(self) -> None:
        """Make everything written durable.  Once that has failed it fails for good, effect unknown."""
        if self._failed_flush is not None:
            raise _again(self._failed_flush)
        if self._dirty:
            self._flush_file()

    def _flush_file(self) -> None:
        try:
            self._file.flush()
        except HostError as error:
            self._failed_flush = error
            raise
        self._dirty = False

    def resize(self, size: int) -> None:
        """Grow to *size*, whole sectors; the new part reads as zeroes.  On an error the size stays."""
        self._demand_writable()
        if size % SECTOR or size < self._size:
            raise InvalidRequest(self.path, f"cannot be resized from {self._size} to {size} bytes")
        self._dirty = True
        self._file.truncate(size)
        self._size = size

    def take_back_growth(self, size: int) -> None:
        """Have *size* bytes again, as before a `resize` since which nothing was written behind them."""
        self._demand_writable()
        if size % SECTOR or not 0 <= size <= self._size:
            raise InvalidRequest(self.path, f"{size} bytes is no size that its {self._size} bytes grew from")
        self._dirty = True
        self._file.truncate(size)
        self._size = size

    def close(self) -> None:
        """Flush and release the file; an error of the flush comes after the release."""
        try:
            self.flush()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Release the file without flushing it; once released, closing or abandoning again is harmless."""
        self._dirty, self._failed_flush = False, None
        self._file.close()

    def _demand_inside(self, offset: int, length: int) -> None:
        if offset < 0 or length < 0 or offset + length > self._size:
            raise InvalidRequest(
                self.path, f"{length} bytes at offset {offset} are outside of its {self._size} bytes"
            )

    def _demand_writable(self) -> None:
        if not self._file.writable:
            raise InvalidRequest(self.path, "is open for reading only")


def _again(failure: HostError) -> HostError:
    return HostError("flush", failure.path, failure.code, effect=Effect.UNKNOWN)
