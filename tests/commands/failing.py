"""A host that fails where a test says so, and keeps a log of what was asked of it."""

import errno
from collections.abc import Sequence

import attrs

from blockops.errors import HostError
from blockops.host.api import HostFile, HostFolder, LockMode


@attrs.define(eq=False)
class Fault:
    """Fail *operation* on *path* with *code*, after *skip* successes, *times* times (None: for ever).

    *done*: the operation takes effect all the same.
    """

    operation: str
    path: str
    code: int = errno.EIO
    skip: int = 0
    times: int | None = None
    done: bool = False

    def strikes(self, operation: str, path: str) -> bool:
        if (operation, path) != (self.operation, self.path):
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return self.times is None or self.times >= 0


@attrs.define(eq=False)
class FailingFolder:
    """A `HostFolder` between the core and *folder*."""

    folder: HostFolder
    faults: list[Fault] = attrs.field(factory=list)
    log: list[tuple[str, str]] = attrs.field(factory=list)

    def fail(self, operation: str, path: str, **how: int | bool | None) -> None:
        """Plant a fault; *how* as in `Fault`."""
        self.faults.append(Fault(operation, path, **how))  # type: ignore[arg-type]

    def meet(self, operation: str, path: str) -> Fault | None:
        """Log the operation; raise if it is to fail without effect, return the fault if with one."""
        self.log.append((operation, path))
        fault = next((fault for fault in self.faults if fault.strikes(operation, path)), None)
        if fault is not None and not fault.done:
            raise HostError(operation, path, fault.code)
        return fault

    @property
    def path(self) -> str:
        return self.folder.path

    def resolve(self, name: str) -> str:
        return self.folder.resolve(name)

    def open(self, name: str, *, writable: bool) -> HostFile:
        self.meet("open", self.resolve(name))
        return FailingFile(self, self.folder.open(name, writable=writable))

    def create(self, name: str, *, replace: bool) -> HostFile:
        path = self.resolve(name)
        fault = self.meet("create", path)
        file = self.folder.create(name, replace=replace)
        if fault is not None:
            file.close()
            raise HostError("create", path, fault.code)
        return FailingFile(self, file)

    def rename(self, old: str, new: str) -> None:
        self.meet("rename", self.resolve(old))
        self.folder.rename(old, new)

    def unlink(self, name: str) -> None:
        self.meet("unlink", self.resolve(name))
        self.folder.unlink(name)

    def exists(self, name: str) -> bool:
        return self.folder.exists(name)

    def names(self) -> Sequence[str]:
        return self.folder.names()

    def sync(self, name: str = ".") -> None:
        self.meet("sync", self.resolve(name))
        self.folder.sync(name)


@attrs.define(eq=False)
class FailingFile:
    """A `HostFile` of a `FailingFolder`."""

    folder: FailingFolder
    file: HostFile

    @property
    def path(self) -> str:
        return self.file.path

    @property
    def writable(self) -> bool:
        return self.file.writable

    def read(self, offset: int, length: int) -> bytes:
        self.folder.meet("read", self.path)
        return self.file.read(offset, length)

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> int:
        self.folder.meet("write", self.path)
        return self.file.write(offset, data)

    def truncate(self, size: int) -> None:
        self.folder.meet("truncate", self.path)
        self.file.truncate(size)

    def size(self) -> int:
        return self.file.size()

    def flush(self) -> None:
        self.folder.meet("flush", self.path)
        self.file.flush()

    def lock(self, mode: LockMode) -> None:
        self.folder.meet("lock", self.path)
        self.file.lock(mode)

    def close(self) -> None:
        self.folder.log.append(("close", self.path))
        self.file.close()
