"""Handles on files in memory: what a process holds of a `MemoryDisk`'s files and volumes."""

import errno
from typing import Final

from blockops.errors import HostError
from blockops.host.api import LockMode
from blockops.host.pages import Content

# Offsets and sizes are signed and 64 bits wide, as off_t.
_OFFSET_LIMIT: Final = 2**63


class MemoryFile:
    """One handle.  After `close`, or the end of its process, every call but `close` fails with EBADF."""

    __slots__ = ("_content", "_handles", "path", "writable")

    def __init__(
        self, path: str, content: Content, writable: bool, handles: "dict[MemoryFile, None]"
    ) -> None:
        self.path = path
        self.writable = writable
        self._content: Content | None = content
        self._handles = handles
        handles[self] = None

    @property
    def content(self) -> Content | None:
        """The file itself, whatever its name is by now; None once the handle is closed."""
        return self._content

    def read(self, offset: int, length: int) -> bytes:
        """Return what there is of *length* bytes from *offset*."""
        content = self._content
        if content is None or offset < 0 or length < 0 or offset + length >= _OFFSET_LIMIT:
            raise self._refusal("read", offset)
        return content.read(offset, length)

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> int:
        """Write all of *data* at *offset*; the file grows where needed."""
        content = self._content
        length = len(data)
        if content is None or not self.writable or offset < 0 or offset + length >= _OFFSET_LIMIT:
            raise self._refusal("write", offset)
        if length:
            content.write(offset, data)
        return length

    def truncate(self, size: int) -> None:
        """Set the size; what is beyond it is forgotten."""
        content = self._content
        if content is None or not self.writable or not 0 <= size < _OFFSET_LIMIT:
            raise self._refusal("truncate", size)
        content.truncate(size)

    def size(self) -> int:
        """Return the size."""
        return self._living("size").size

    def flush(self) -> None:
        """Do nothing: what is written is on the disk."""
        self._living("flush")

    def lock(self, mode: LockMode) -> None:
        """Take the lock or swap the one held; where it is refused, the one held stays."""
        locks = self._living("lock").locks
        for holder, held in locks.items():
            if holder is not self and LockMode.EXCLUSIVE in (mode, held):
                raise HostError("lock", self.path, errno.EAGAIN)
        locks[self] = mode

    def close(self) -> None:
        """Release the handle and its lock."""
        if self._content is not None:
            self._content.locks.pop(self, None)
            self._content = None
            del self._handles[self]

    def _living(self, operation: str) -> Content:
        if self._content is None:
            raise HostError(operation, self.path, errno.EBADF)
        return self._content

    def _refusal(self, operation: str, offset: int) -> HostError:
        """Return why an operation was not done: the handle forbids it, or else the numbers do."""
        forbidden = self._content is None or (operation != "read" and not self.writable)
        return HostError(operation, self.path, errno.EBADF if forbidden else errno.EINVAL, offset)


class VolumeFile(MemoryFile):
    """One handle on a volume."""

    __slots__ = ()

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> int:
        """Write what fits before the volume's end; ENOSPC where nothing does."""
        content = self._content
        if content is None or offset < 0 or offset + len(data) <= content.size:
            return super().write(offset, data)
        if offset >= content.size and self.writable:
            raise HostError("write", self.path, errno.ENOSPC, offset)
        return super().write(offset, memoryview(data)[: content.size - offset])

    def truncate(self, size: int) -> None:
        """Do nothing, or fail with ENOSPC where the volume is smaller."""
        content = self._content
        if content is None or not self.writable or not 0 <= size < _OFFSET_LIMIT:
            raise self._refusal("truncate", size)
        if size > content.size:
            raise HostError("truncate", self.path, errno.ENOSPC, size)


def open_handle(path: str, content: Content, writable: bool, handles: dict[MemoryFile, None]) -> MemoryFile:
    """Return a handle of the sort that the file needs; the process whose *handles* they are holds it."""
    return (VolumeFile if content.volume else MemoryFile)(path, content, writable, handles)
