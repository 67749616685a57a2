"""The POSIX host keeps the contract, and never hangs on, or changes, what is not a regular file."""

import pathlib

import pytest

from blockops.host.posix import PosixFolder
from tests.contracts.host_contract import Host, HostContract


class TestPosixHost(HostContract):
    @pytest.fixture
    def host(self, tmp_path: pathlib.Path) -> Host:
        (tmp_path / "sub").mkdir()
        return Host(PosixFolder(tmp_path), PosixFolder(tmp_path))
