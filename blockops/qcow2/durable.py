"""One image file for the layers above, and what of it is not known to be on disk yet.

A failed flush may have dropped the dirty pages, and the host will not report it twice: a later flush
that succeeds says nothing about them (reference: PostgreSQL's "fsyncgate", QEMU's file-posix).  So every
write since the last good flush is remembered, and written again after a bad one; where that fails as well,
reads are answered from the memory until it succeeds.  The memory is bounded: beyond `REMEMBERED` bytes it
is given up, and then a bad flush is final: no later one reports success, and reads show what the host has.
"""

import contextlib
import errno
from collections.abc import Callable
from functools import partial

from blockops.errors import BlockError, Effect, HostError
from blockops.host.api import HostFile, read_exactly, write_fully
from blockops.units import MIB

REMEMBERED = 4 * MIB


class DurableFile:
    """An open host file that never reports durable what may have been lost.

    *end* is the first offset that nobody has ever written; *pending* says whether anything has been
    written since the last good flush.  *read(offset, length)* returns fewer bytes only at the end of the
    file.
    """

    def __init__(self, file: HostFile) -> None:
        self._file = file
        self.path = file.path
        # Bound here and not a method: every read of a guest comes this way.
        self._plain_read = partial(read_exactly, file)
        self.read: Callable[[int, int], bytes] = self._plain_read
        self.end = file.size()
        self.pending = False
        self._flushed = False
        self._unsure: dict[tuple[int, int], bytes] = {}
        self._unsure_bytes = 0
        self._forgotten = False
        self._suspect = False

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write all of *data* at *offset*; after an error any prefix of it may be there."""
        self.pending = True
        # Before the write: what a failed one leaves behind the end is no longer untouched.
        self.end = max(self.end, offset + len(data))
        write_fully(self._file, offset, data)
        self._remember(offset, data)

    def flush(self) -> None:
        """Make all writes durable, those included that an earlier failed flush may have dropped."""
        if self._suspect:
            self._write_again()
        try:
            self._file.flush()
        except BlockError:
            self._doubt()
            raise
        self.pending = False
        self._flushed = True
        self._forgotten = False
        self._forget()

    def settle(self) -> None:
        """Flush, unless nothing was written since this handle's last good flush."""
        if self.pending or not self._flushed:
            self.flush()

    def claim(self) -> None:
        """Make ready for a write: nothing to do."""

    def close(self) -> None:
        """Release the handle and nothing else."""
        self._file.close()

    def _remember(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        if self._forgotten:
            return
        length = len(data)
        if self._unsure_bytes + length > REMEMBERED:
            self._forgotten = True
            self._forget()
            return
        # Taken out first, so that the newest write of a place is also the last one written again.
        if self._unsure.pop((offset, length), None) is None:
            self._unsure_bytes += length
        self._unsure[offset, length] = data if type(data) is bytes else bytes(data)

    def _forget(self) -> None:
        self._unsure.clear()
        self._unsure_bytes = 0

    def _doubt(self) -> None:
        self._suspect = True
        self.read = self._doubtful_read
        # At once, so that reads through this handle see what was written; failing that, the next flush must.
        with contextlib.suppress(BlockError):
            self._write_again()

    def _write_again(self) -> None:
        if self._forgotten:
            raise HostError("flush", self.path, errno.EIO, effect=Effect.UNKNOWN)
        for (offset, _), data in self._unsure.items():
            write_fully(self._file, offset, data)
        self._suspect = False
        self.read = self._plain_read

    def _doubtful_read(self, offset: int, length: int) -> bytes:
        """Read, but what may have been dropped, as it was written: later writes lie over earlier ones."""
        found = bytearray(self._plain_read(offset, length))
        end = offset + len(found)
        for (start, _), data in self._unsure.items():
            first, last = max(start, offset), min(start + len(data), end)
            if first < last:
                found[first - offset : last - offset] = data[first - start : last - start]
        return bytes(found)


class UntouchedFile(DurableFile):
    """A file before whose first write through this handle something has to be done, once."""

    def __init__(self, file: HostFile) -> None:
        super().__init__(file)
        self._due: Callable[[], None] | None = None

    def before_writing(self, act: Callable[[], None]) -> None:
        """Call *act* before the first write; where it fails, so does the write, and it is called again."""
        self._due = act

    def claim(self) -> None:
        """Make ready for a write: do what has to be done."""
        act, self._due = self._due, None
        if act is not None:
            try:
                act()
            except BlockError:
                self._due = act
                raise

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        self.claim()
        super().write(offset, data)
