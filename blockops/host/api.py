"""The seam: what the core may ask of the host, and nothing else.

A `HostFolder` names files, a `HostFile` is one open handle.  The calls mean what the system calls mean:
positional, short transfers allowed, an error is a `HostError` with an errno.  Production code has no
hooks for faults; a fault is a wrapper that stands between the core and one of these.
"""

import enum
from collections.abc import Sequence
from typing import Protocol


class LockMode(enum.Enum):
    """Whole-file locks between handles, in one process or in several."""

    SHARED = "shared"
    EXCLUSIVE = "exclusive"


class Readable(Protocol):
    """What can be read at any offset: an open file, or something that stands before one."""

    @property
    def path(self) -> str:
        """The absolute name of the file."""

    def read(self, offset: int, length: int, /) -> bytes:
        """Return up to *length* bytes from *offset*; fewer is allowed, none means end of file."""


class HostFile(Protocol):
    """One open file.  All offsets and lengths are bytes; every call may raise `HostError`."""

    @property
    def path(self) -> str:
        """The absolute name under which the file was opened."""

    @property
    def writable(self) -> bool:
        """Whether the handle was opened for writing."""

    def read(self, offset: int, length: int) -> bytes:
        """Return up to *length* bytes from *offset*; fewer is allowed, none means end of file."""

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> int:
        """Write a prefix of *data* at *offset*, growing the file where needed; return its length (≥ 1)."""

    def truncate(self, size: int) -> None:
        """Set the file's size; bytes that are new read as zero."""

    def size(self) -> int:
        """Return the file's size."""

    def flush(self) -> None:
        """Make everything written so far durable, metadata needed to read it included (fdatasync)."""

    def lock(self, mode: LockMode) -> None:
        """Take a lock without waiting, until `close`; EAGAIN where another handle's lock forbids it."""

    def close(self) -> None:
        """Release the handle and its lock; closing twice is harmless."""


class HostFolder(Protocol):
    """Names.  A relative name is resolved against *path*; names are normalised, links not followed here."""

    @property
    def path(self) -> str:
        """The folder's absolute name."""

    def resolve(self, name: str) -> str:
        """Return the absolute, normalised form of *name*.  Never fails, touches nothing."""

    def open(self, name: str, *, writable: bool) -> HostFile:
        """Open an existing regular file."""

    def create(self, name: str, *, replace: bool) -> HostFile:
        """Create an empty file, open for writing; *replace* wipes an existing one, else EEXIST."""

    def rename(self, old: str, new: str) -> None:
        """Give a file another name, replacing whatever had it."""

    def unlink(self, name: str) -> None:
        """Remove a name; open handles keep working."""

    def exists(self, name: str) -> bool:
        """Whether *name* is there."""

    def names(self) -> Sequence[str]:
        """Return the absolute names of all regular files below the folder, sorted."""

    def sync(self, name: str = ".") -> None:
        """Make the entries of the folder *name* durable (fsync of a directory)."""


def read_exactly(file: Readable, offset: int, length: int) -> bytes:
    """Read *length* bytes from *offset*, however short the host's reads; shorter only at end of file."""
    data = file.read(offset, length)
    if len(data) == length or not data:
        return data
    return _read_rest(file, offset, length, data)


def _read_rest(file: Readable, offset: int, length: int, first: bytes) -> bytes:
    parts, got = [first], len(first)
    while got < length:
        part = file.read(offset + got, length - got)
        if not part:
            break
        parts.append(part)
        got += len(part)
    return b"".join(parts)


def write_fully(file: HostFile, offset: int, data: bytes | bytearray | memoryview) -> None:
    """Write all of *data* at *offset*, however short the host's writes.

    After an error an unknown prefix of it may be in the file.
    """
    done = file.write(offset, data)
    while done < len(data):
        done += file.write(offset + done, memoryview(data)[done:])
