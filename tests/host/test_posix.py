"""The POSIX host keeps the contract, and never hangs on, or changes, what is not a regular file."""

import errno
import os
import pathlib
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import partial

import pytest

from blockops.errors import Effect, HostError
from blockops.host.api import LockMode
from blockops.host.posix import PosixFile, PosixFolder
from tests.contracts.host_contract import HostContract
from tests.contracts.host_world import Host, code_of


class TestPosixHost(HostContract):
    @pytest.fixture
    def host(self, tmp_path: pathlib.Path) -> Host:
        (tmp_path / "sub").mkdir()
        return Host(PosixFolder(tmp_path), PosixFolder(tmp_path))


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> PosixFolder:
    return PosixFolder(tmp_path)


@pytest.fixture
def file(folder: PosixFolder) -> Iterator[PosixFile]:
    file = folder.create("file", replace=False)
    yield file
    file.close()


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("path", ["/dev/null", "/dev/zero", "/dev/tty0", "/dev/loop0"])
def test_a_device_node_is_no_file(folder: PosixFolder, path: str) -> None:
    if os.path.exists(path):
        for call in (
            lambda: folder.open(path, writable=False),
            lambda: folder.open(path, writable=True),
            lambda: folder.create(path, replace=True),
        ):
            assert code_of(call) in (errno.ENOTSUP, errno.ENXIO, errno.EACCES, errno.EPERM)


def test_a_fifo_is_no_file_and_nothing_waits_for_its_other_end(
    folder: PosixFolder, tmp_path: pathlib.Path
) -> None:
    os.mkfifo(tmp_path / "fifo")
    before = open_descriptors()
    for call in (
        lambda: folder.open("fifo", writable=False),
        lambda: folder.open("fifo", writable=True),
        lambda: folder.create("fifo", replace=True),
    ):
        assert code_of(call) == errno.ENOTSUP
    assert folder.exists("fifo")
    assert folder.names() == []
    assert open_descriptors() == before


def test_a_socket_is_no_file(folder: PosixFolder, tmp_path: pathlib.Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        assert code_of(lambda: folder.open("socket", writable=False)) == errno.ENXIO


def test_a_refused_open_leaks_no_descriptor(folder: PosixFolder) -> None:
    before = open_descriptors()
    for _ in range(20):
        assert code_of(lambda: folder.open(".", writable=False)) == errno.EISDIR
    assert open_descriptors() == before


def test_an_interrupted_open_leaks_no_descriptor(
    folder: PosixFolder, file: PosixFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: int) -> os.stat_result:
        raise KeyboardInterrupt

    before = open_descriptors()
    monkeypatch.setattr(os, "fstat", interrupted)
    with pytest.raises(KeyboardInterrupt):
        folder.open("file", writable=True)
    monkeypatch.undo()
    assert open_descriptors() == before


def test_descriptors_do_not_reach_programs_that_are_started(file: PosixFile) -> None:
    assert not os.get_inheritable(file._descriptor)


def test_links_are_followed_on_opening_but_not_by_names(folder: PosixFolder, tmp_path: pathlib.Path) -> None:
    (tmp_path / "real").write_bytes(b"abc")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "loop").symlink_to(".")
    (tmp_path / "dangling").symlink_to("nowhere")
    file = folder.open("link", writable=False)
    assert (file.read(0, 10), file.path) == (b"abc", folder.resolve("link"))
    assert folder.names() == [folder.resolve("real")]
    assert folder.exists("dangling")
    assert code_of(lambda: folder.create("dangling", replace=False)) == errno.EEXIST
    file.close()


def test_a_full_device_is_an_error_of_unknown_effect(
    file: PosixFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "")

    for name, call in (
        ("pwrite", lambda: file.write(512, b"x")),
        ("ftruncate", lambda: file.truncate(512)),
        ("fdatasync", file.flush),
    ):
        monkeypatch.setattr(os, name, full)
        with pytest.raises(HostError) as caught:
            call()
        assert (caught.value.code, caught.value.effect) == (errno.ENOSPC, Effect.UNKNOWN)
        assert isinstance(caught.value.__cause__, OSError)


def test_a_read_error_has_no_effect(file: PosixFile, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> bytes:
        raise OSError(errno.EIO, "")

    monkeypatch.setattr(os, "pread", failing)
    with pytest.raises(HostError) as caught:
        file.read(512, 1)
    assert (caught.value.effect, caught.value.offset) == (Effect.NONE, 512)


def test_a_close_that_fails_has_closed(file: PosixFile, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = []
    real_close = os.close

    def failing(descriptor: int) -> None:
        closed.append(descriptor)
        real_close(descriptor)
        raise OSError(errno.EDQUOT, "")

    monkeypatch.setattr(os, "close", failing)
    assert code_of(file.close) == errno.EDQUOT
    file.close()
    monkeypatch.undo()
    assert len(closed) == 1


def test_a_file_size_limit_is_an_error_not_a_signal(file: PosixFile) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        assert file.write(0, b"x" * 8192) == 4096
        assert code_of(lambda: file.write(4096, b"x")) == errno.EFBIG
        assert code_of(lambda: file.truncate(8192)) == errno.EFBIG
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_running_out_of_descriptors_is_an_error(folder: PosixFolder, file: PosixFile) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        codes = [
            code_of(lambda: folder.open("file", writable=True)),
            code_of(lambda: folder.create("other", replace=False)),
            code_of(folder.sync),
            code_of(folder.names),
        ]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert codes == [errno.EMFILE] * 4
    assert not folder.exists("other")


def test_locks_hold_against_another_process_until_it_dies(folder: PosixFolder, file: PosixFile) -> None:
    program = (
        "import sys; from blockops.host.posix import *\n"
        "file = PosixFolder(sys.argv[1]).open('file', writable=True); file.lock(LockMode.EXCLUSIVE)\n"
        "print('locked', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, folder.path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        assert code_of(lambda: file.lock(LockMode.SHARED)) == errno.EAGAIN
        holder.kill()
        holder.wait()
    file.lock(LockMode.EXCLUSIVE)


def test_flushing_and_syncing_reach_the_kernel(
    folder: PosixFolder, file: PosixFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[str, str]] = []

    def record(name: str, descriptor: int) -> None:
        calls.append((name, os.readlink(f"/proc/self/fd/{descriptor}")))

    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, partial(record, name))
    file.flush()
    folder.sync()
    folder.make_folder("sub")
    folder.sync("sub")
    assert calls == [
        ("fdatasync", file.path),
        ("fsync", folder.path),
        ("fsync", folder.resolve("sub")),
    ]


def test_a_folder_that_is_gone_has_no_names(folder: PosixFolder) -> None:
    assert code_of(PosixFolder(folder.resolve("none")).names) == errno.ENOENT


def test_a_folder_may_be_named_relative_to_where_we_are(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = PosixFolder("sub/..")
    assert folder.path == str(tmp_path)


def test_a_folder_is_made_once_and_in_a_folder(folder: PosixFolder) -> None:
    folder.make_folder("new")
    assert folder.exists("new")
    assert code_of(lambda: folder.make_folder("new")) == errno.EEXIST
    assert code_of(lambda: folder.make_folder("none/new")) == errno.ENOENT
