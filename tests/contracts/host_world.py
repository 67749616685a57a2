"""A host as the contract sees it, and the few moves that its claims are made of."""

from collections.abc import Callable

import attrs
import pytest

from blockops.errors import HostError
from blockops.host.api import HostFile, HostFolder, read_exactly, write_fully


@attrs.frozen
class Host:
    """One host as two processes see it."""

    folder: HostFolder
    second: HostFolder


def code_of(call: Callable[[], object]) -> int:
    """Return the errno with which *call* fails."""
    with pytest.raises(HostError) as caught:
        call()
    return caught.value.code


def put(folder: HostFolder, name: str, data: bytes = b"") -> None:
    """Make the file *name* with this content."""
    file = folder.create(name, replace=True)
    write_fully(file, 0, data)
    file.close()


def content(folder: HostFolder, name: str) -> bytes:
    """Return all of the file *name*."""
    file = folder.open(name, writable=False)
    data = read_exactly(file, 0, file.size())
    file.close()
    return data


class HostFixtures:
    """What the claims start from; `host` comes from the subclass."""

    @pytest.fixture
    def folder(self, host: Host) -> HostFolder:
        return host.folder

    @pytest.fixture
    def file(self, folder: HostFolder) -> HostFile:
        return folder.create("file", replace=False)
