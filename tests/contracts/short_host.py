"""A host whose transfers are as short as the seam allows; whoever uses the seam must not mind."""

from collections.abc import Sequence

import attrs

from blockops.host.api import HostFile, HostFolder, LockMode


@attrs.define(eq=False)
class ShortFile:
    """Another file, of which no call transfers more than *longest* bytes."""

    inner: HostFile
    longest: int

    @property
    def path(self) -> str:
        return self.inner.path

    @property
    def writable(self) -> bool:
        return self.inner.writable

    def read(self, offset: int, length: int) -> bytes:
        return self.inner.read(offset, min(length, self.longest))

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> int:
        return self.inner.write(offset, memoryview(data)[: self.longest])

    def truncate(self, size: int) -> None:
        self.inner.truncate(size)

    def size(self) -> int:
        return self.inner.size()

    def flush(self) -> None:
        self.inner.flush()

    def lock(self, mode: LockMode) -> None:
        self.inner.lock(mode)

    def close(self) -> None:
        self.inner.close()


@attrs.define(eq=False)
class ShortFolder:
    """Another folder, whose files are `ShortFile`s."""

    inner: HostFolder
    longest: int

    @property
    def path(self) -> str:
        return self.inner.path

    def resolve(self, name: str) -> str:
        return self.inner.resolve(name)

    def open(self, name: str, *, writable: bool) -> ShortFile:
        return ShortFile(self.inner.open(name, writable=writable), self.longest)

    def create(self, name: str, *, replace: bool) -> ShortFile:
        return ShortFile(self.inner.create(name, replace=replace), self.longest)

    def rename(self, old: str, new: str) -> None:
        self.inner.rename(old, new)

    def unlink(self, name: str) -> None:
        self.inner.unlink(name)

    def exists(self, name: str) -> bool:
        return self.inner.exists(name)

    def names(self) -> Sequence[str]:
        return self.inner.names()

    def sync(self, name: str = ".") -> None:
        self.inner.sync(name)
