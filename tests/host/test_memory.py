"""The in-memory host keeps the contract; disks fork cheaply and apart; adopted files stay untouched."""

import pytest

from blockops.host.memory import MemoryDisk, MemoryFolder
from tests.contracts.host_contract import Host, HostContract


class TestMemoryHost(HostContract):
    @pytest.fixture
    def host(self) -> Host:
        disk = MemoryDisk()
        disk.make_folder("/vm/sub")
        return Host(MemoryFolder(disk), MemoryFolder(disk))
