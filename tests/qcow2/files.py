"""A host file made of bytes that notes what is done to it and, on request, fails.

Fault model: the n-th operation that changes the file fails once, before its effect, after it, or after a
prefix of it; a failed flush may drop every write since the last good one.  A crash keeps a prefix of the
changes (the process is killed) or, of those after the last flush, any subset of sectors (power is lost).
"""

import enum
import errno
from itertools import pairwise

import attrs

from blockops.errors import HostError
from blockops.host.api import LockMode
from blockops.units import SECTOR

Change = tuple[str, int, bytes]


class Failure(enum.Enum):
    """What is left of an operation that fails."""

    BEFORE = "before its effect"
    AFTER = "after its effect"
    TORN = "after a prefix of sectors"
    DROPPING = "and drops what was not flushed"


@attrs.define(eq=False)
class BytesFile:
    """A file in memory; *changes* is everything that was done to it.

    *most* is how many bytes one read or write transfers, where it is not all of them.
    """

    content: bytearray = attrs.field(factory=bytearray)
    path: str = "/vm/image.qcow2"
    writable: bool = True
    changes: list[Change] = attrs.field(factory=list)
    closed: bool = False
    fail_at: int | None = None
    failure: Failure = Failure.BEFORE
    durable: bytes = b""
    reads: int = 0
    fail_read_at: int | None = None
    most: int | None = None

    def read(self, offset: int, length: int) -> bytes:
        self._live("read")
        self.reads += 1
        if self.fail_read_at == self.reads - 1:
            raise HostError("read", self.path, errno.EIO, offset)
        return bytes(self.content[offset : offset + min(length, self.most or length)])

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> int:
        done = bytes(data[: self.most])
        self._change("write", offset, done)
        return len(done)

    def truncate(self, size: int) -> None:
        self._change("truncate", size, b"")

    def flush(self) -> None:
        self._change("flush", 0, b"")

    def size(self) -> int:
        self._live("size")
        return len(self.content)

    def lock(self, mode: LockMode) -> None:
        self._live("lock")

    def close(self) -> None:
        self.closed = True

    def _live(self, operation: str) -> None:
        if self.closed:
            raise HostError(operation, self.path, errno.EBADF)

    def _change(self, operation: str, offset: int, data: bytes) -> None:
        self._live(operation)
        if self.fail_at == len(self.changes):
            self.fail_at = None
            self._fail(operation, offset, data)
        self._apply(operation, offset, data)

    def _apply(self, operation: str, offset: int, data: bytes) -> None:
        self.changes.append((operation, offset, data))
        apply(self.content, (operation, offset, data))
        if operation == "flush":
            self.durable = bytes(self.content)

    def _fail(self, operation: str, offset: int, data: bytes) -> None:
        match self.failure:
            case Failure.AFTER:
                self._apply(operation, offset, data)
            case Failure.TORN if operation == "write":
                half = offset + len(data) // 2
                self._apply(operation, offset, data[: max(0, half // SECTOR * SECTOR - offset)])
            case Failure.DROPPING if operation == "flush":
                self.content[:] = self.durable
            case _:
                pass
        raise HostError(operation, self.path, errno.EIO, offset)


def apply(content: bytearray, change: Change) -> None:
    """Do one change to *content*."""
    operation, offset, data = change
    if operation == "flush" or (operation == "write" and not data):
        return
    end = offset + len(data)
    if operation == "truncate":
        del content[offset:]
    content.extend(bytes(max(0, end - len(content))))
    content[offset:end] = data


def sectors(change: Change) -> list[Change]:
    """Return a change as the changes of single sectors, which a disk does whole or not at all."""
    operation, offset, data = change
    if operation != "write":
        return [change]
    cuts = [0, *range(-offset % SECTOR or SECTOR, len(data), SECTOR), len(data)]
    return [("write", offset + a, data[a:b]) for a, b in pairwise(cuts)]
