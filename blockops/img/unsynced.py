"""A host file that makes nothing durable: for copies, which can be made again."""

import attrs

from blockops.host.api import HostFile, LockMode


@attrs.frozen
class Unsynced:
    """An open file, all of whose flushes succeed without doing anything."""

    _file: HostFile

    @property
    def path(self) -> str:
        return self._file.path

    @property
    def writable(self) -> bool:
        return self._file.writable

    def read(self, offset: int, length: int) -> bytes:
        return self._file.read(offset, length)

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> int:
        return self._file.write(offset, data)

    def truncate(self, size: int) -> None:
        self._file.truncate(size)

    def size(self) -> int:
        return self._file.size()

    def flush(self) -> None:
        """Do nothing, and say that all is well."""

    def lock(self, mode: LockMode) -> None:
        self._file.lock(mode)

    def close(self) -> None:
        self._file.close()
