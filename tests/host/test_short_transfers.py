"""A host that transfers one byte, or a few, at a time keeps the contract, so users must expect it."""

import pytest

from blockops.host.api import read_exactly, write_fully
from blockops.host.memory import MemoryDisk, MemoryFolder
from tests.contracts.host_contract import HostContract
from tests.contracts.host_world import Host
from tests.contracts.short_host import ShortFolder


class TestShortHost(HostContract):
    @pytest.fixture(params=[1000, 4096])
    def host(self, request: pytest.FixtureRequest) -> Host:
        disk = MemoryDisk()
        disk.make_folder("/vm/sub")
        return Host(
            ShortFolder(MemoryFolder(disk), request.param), ShortFolder(MemoryFolder(disk), request.param)
        )


@pytest.mark.parametrize("longest", [1, 2, 7, 100])
def test_whole_transfers_are_made_of_short_ones(longest: int) -> None:
    file = ShortFolder(MemoryFolder(MemoryDisk()), longest).create("file", replace=False)
    write_fully(file, 5, memoryview(b"abcdefghij"))
    assert file.size() == 15
    assert read_exactly(file, 5, 10) == b"abcdefghij"
    assert read_exactly(file, 8, 100) == b"defghij"
    assert read_exactly(file, 15, 1) == b""
    assert read_exactly(file, 0, 0) == b""
