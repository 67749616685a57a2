"""The in-memory host keeps the contract; disks fork cheaply and apart; adopted files stay untouched."""

import errno
import pathlib
import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from blockops.host.api import LockMode
from blockops.host.memory import MemoryDisk, MemoryFolder
from blockops.host.posix import PosixFile, PosixFolder
from tests.contracts.host_contract import HostContract
from tests.contracts.host_world import Host, code_of, content, put


class TestMemoryHost(HostContract):
    @pytest.fixture
    def host(self) -> Host:
        disk = MemoryDisk()
        disk.make_folder("/vm/sub")
        return Host(MemoryFolder(disk), MemoryFolder(disk))


@pytest.fixture
def disk() -> MemoryDisk:
    return MemoryDisk()


@pytest.fixture
def folder(disk: MemoryDisk) -> MemoryFolder:
    return MemoryFolder(disk)


def test_the_end_of_a_process_releases_its_handles_and_locks_and_nobody_else_s(disk: MemoryDisk) -> None:
    dead, alive = MemoryFolder(disk), MemoryFolder(disk)
    put(dead, "file", b"abc")
    held, reader = dead.open("file", writable=True), alive.open("file", writable=False)
    held.lock(LockMode.EXCLUSIVE)
    assert list(dead.handles) == [held]
    dead.close_all()
    assert list(dead.handles) == []
    assert code_of(lambda: held.read(0, 1)) == errno.EBADF
    reader.lock(LockMode.EXCLUSIVE)
    assert reader.read(0, 3) == b"abc"
    assert alive.handles == (reader,)


def test_what_a_process_wrote_outlives_it(disk: MemoryDisk) -> None:
    folder = MemoryFolder(disk)
    folder.create("file", replace=False).write(0, b"abc")
    folder.close_all()
    assert content(MemoryFolder(disk), "file") == b"abc"


def test_a_fork_has_the_files_but_no_handles_and_no_locks(disk: MemoryDisk, folder: MemoryFolder) -> None:
    file = folder.create("file", replace=False)
    file.write(0, b"abc")
    file.lock(LockMode.EXCLUSIVE)
    twin = MemoryFolder(disk.fork()).open("file", writable=True)
    twin.lock(LockMode.EXCLUSIVE)
    assert twin.read(0, 3) == b"abc"


@pytest.mark.parametrize("first", [0, 1, 2])
def test_disks_live_their_own_lives_whichever_writes_first(
    disk: MemoryDisk, folder: MemoryFolder, first: int
) -> None:
    put(folder, "file", b"a" * 10_000)
    child = disk.fork()
    family = [folder, MemoryFolder(child), MemoryFolder(child.fork())]
    for turn in range(3):
        number = (first + turn) % 3
        family[number].open("file", writable=True).write(5000 * number // 2, bytes([number]))
    for number, member in enumerate(family):
        expected = bytearray(b"a" * 10_000)
        expected[5000 * number // 2] = number
        assert content(member, "file") == expected


def test_names_of_a_fork_are_its_own(disk: MemoryDisk, folder: MemoryFolder) -> None:
    put(folder, "file", b"abc")
    before = disk.digest()
    other = MemoryFolder(disk.fork())
    other.rename("file", "moved")
    other.create("new", replace=False)
    other.make_folder("sub")
    assert disk.digest() == before
    folder.unlink("file")
    assert content(other, "moved") == b"abc"


def test_a_truncate_after_a_fork_leaves_the_other_side_alone(disk: MemoryDisk, folder: MemoryFolder) -> None:
    put(folder, "file", b"a" * 10_000)
    twin = disk.fork()
    folder.open("file", writable=True).truncate(100)
    folder.open("file", writable=True).write(0, b"b")
    assert content(MemoryFolder(twin), "file") == b"a" * 10_000


def test_a_sparse_file_costs_what_is_in_it(folder: MemoryFolder) -> None:
    file = folder.create("file", replace=False)
    tracemalloc.start()
    try:
        file.truncate(2**40)
        file.write(2**39, b"x" * 8192)
        file.truncate(2**39 + 4096)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_a_hundred_forks_cost_less_than_one_copy(disk: MemoryDisk, folder: MemoryFolder) -> None:
    put(folder, "file", b"x" * 1_000_000)
    tracemalloc.start()
    try:
        forks = [disk.fork() for _ in range(100)]
        for fork in forks:
            MemoryFolder(fork).open("file", writable=True).write(0, b"y")
        assert tracemalloc.get_traced_memory()[1] < 100 * (4096 + 40_000)
    finally:
        tracemalloc.stop()


# Digests


def test_equal_disks_have_equal_digests_whatever_their_history(disk: MemoryDisk) -> None:
    straight, crooked = MemoryFolder(disk), MemoryFolder(MemoryDisk())
    put(straight, "a", b"abc" + bytes(9000))
    put(straight, "b")
    put(crooked, "b", b"gone")
    put(crooked, "b")
    file = crooked.create("c", replace=False)
    file.truncate(9003)
    file.write(0, b"abd")
    assert crooked.disk.digest() != disk.digest()
    file.write(0, b"abc")
    crooked.rename("c", "a")
    assert crooked.disk.digest() == disk.digest()


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: folder.open("file", writable=True).write(9999, b"b"),
        lambda folder: folder.open("file", writable=True).write(4096, bytes(4096)),
        lambda folder: folder.open("file", writable=True).truncate(9999),
        lambda folder: folder.open("file", writable=True).truncate(10_001),
        lambda folder: folder.rename("file", "moved"),
        lambda folder: folder.unlink("file"),
        lambda folder: folder.create("new", replace=False),
        lambda folder: folder.create("file", replace=True),
        lambda folder: folder.make_folder("new"),
    ],
    ids=["write", "zero", "shrink", "grow", "rename", "unlink", "create", "wipe", "folder"],
)
def test_every_change_changes_the_digest(
    disk: MemoryDisk, folder: MemoryFolder, change: Callable[[MemoryFolder], object]
) -> None:
    put(folder, "file", b"a" * 10_000)
    twin = disk.fork()
    before = disk.digest()
    assert twin.digest() == before
    change(folder)
    assert disk.digest() != before
    assert twin.digest() == before


def test_names_and_contents_do_not_run_into_each_other(disk: MemoryDisk, folder: MemoryFolder) -> None:
    other = MemoryFolder(MemoryDisk())
    put(folder, "a", b"1")
    put(folder, "b", b"2")
    put(other, "a", b"2")
    put(other, "b", b"1")
    assert disk.digest() != other.disk.digest()


def test_sizes_and_places_do_not_run_into_each_other() -> None:
    digests = []
    for size, page in ((50_000, 11), (500_001, 1)):
        folder = MemoryFolder(MemoryDisk())
        file = folder.create("file", replace=False)
        file.write(page * 4096, b"x")
        file.truncate(size)
        digests.append(folder.disk.digest())
    assert digests[0] != digests[1]


def test_a_digest_is_the_same_on_every_machine(disk: MemoryDisk, folder: MemoryFolder) -> None:
    put(folder, "file", b"a" * 10_000)
    folder.make_folder("sub")
    assert disk.digest() == "858b8d2d7985deacaf13e6894f823405"


# Files that are adopted


@pytest.fixture
def real(tmp_path: pathlib.Path) -> Iterator[PosixFile]:
    (tmp_path / "base").write_bytes(b"real" * 5000)
    file = PosixFolder(tmp_path).open("base", writable=False)
    yield file
    file.close()


def test_an_adopted_file_reads_as_it_lies_in_every_fork(disk: MemoryDisk, real: PosixFile) -> None:
    disk.adopt("/vm/base", real)
    for world in (disk, disk.fork(), disk.fork().fork()):
        file = MemoryFolder(world).open("base", writable=False)
        assert (file.size(), file.read(4, 8), file.path) == (20_000, b"realreal", "/vm/base")
        assert content(MemoryFolder(world), "base") == b"real" * 5000


def test_nothing_in_this_world_changes_an_adopted_file(
    disk: MemoryDisk, folder: MemoryFolder, real: PosixFile
) -> None:
    disk.adopt("/vm/base", real)
    assert code_of(lambda: folder.open("base", writable=True)) == errno.EROFS
    assert code_of(lambda: folder.create("base", replace=True)) == errno.EROFS
    assert code_of(lambda: folder.create("base", replace=False)) == errno.EEXIST
    handle = folder.open("base", writable=False)
    assert code_of(lambda: handle.write(0, b"x")) == errno.EBADF
    put(folder, "other", b"other")
    folder.rename("other", "base")
    assert content(folder, "base") == b"other"
    assert handle.read(0, 4) == real.read(0, 4) == b"real"
    folder.close_all()
    assert real.read(0, 4) == b"real"


def test_an_adopted_file_can_be_locked_and_renamed(
    disk: MemoryDisk, folder: MemoryFolder, real: PosixFile
) -> None:
    disk.adopt("/vm/base", real)
    folder.rename("base", "moved")
    first, second = (folder.open("moved", writable=False) for _ in range(2))
    first.lock(LockMode.SHARED)
    assert code_of(lambda: second.lock(LockMode.EXCLUSIVE)) == errno.EAGAIN


def test_a_digest_knows_which_file_was_adopted_as_what(real: PosixFile) -> None:
    disks = [MemoryDisk() for _ in range(4)]
    disks[1].adopt("/vm/a", real)
    disks[2].adopt("/vm/b", real)
    disks[3].adopt("/vm/b", real)
    MemoryFolder(disks[3]).rename("b", "a")
    assert len({disk.digest() for disk in disks}) == 4
    assert disks[1].fork().digest() == disks[1].digest()


def test_a_name_that_is_taken_is_not_adopted(disk: MemoryDisk, folder: MemoryFolder, real: PosixFile) -> None:
    put(folder, "base", b"abc")
    assert code_of(lambda: disk.adopt("/vm/base", real)) == errno.EEXIST
    assert code_of(lambda: disk.adopt("/none/base", real)) == errno.ENOENT
    assert content(folder, "base") == b"abc"


# Writing out


def test_a_disk_can_be_written_out_as_real_files(
    disk: MemoryDisk, folder: MemoryFolder, real: PosixFile, tmp_path: pathlib.Path
) -> None:
    disk.adopt("/vm/base", real)
    for name in ("sub", "sub/deep", "empty"):
        folder.make_folder(name)
    files = {"a": b"abc", "sub/b": b"x" * 5000, "sub/deep/c": b"", "sub/d": bytes(4096) + b"y" + bytes(4999)}
    for name, data in files.items():
        put(folder, name, data)
    (tmp_path / "out").mkdir()
    target = PosixFolder(tmp_path / "out")
    assert disk.export_all("/vm", target) == sorted(files)
    assert {name: (tmp_path / "out" / name).read_bytes() for name in files} == files
    assert target.names() == [target.resolve(name) for name in sorted(files)]
    assert (tmp_path / "out/empty").is_dir()


def test_writing_out_keeps_holes(disk: MemoryDisk, folder: MemoryFolder, tmp_path: pathlib.Path) -> None:
    file = folder.create("sparse", replace=False)
    file.truncate(2**33)
    file.write(2**32, b"x")
    file.write(2**31, bytes(2**22))
    disk.export("/vm/sparse", PosixFolder(tmp_path), "sparse")
    status = (tmp_path / "sparse").stat()
    assert status.st_size == 2**33
    assert status.st_blocks * 512 < 2**20


def test_writing_out_overwrites_nothing(
    disk: MemoryDisk, folder: MemoryFolder, real: PosixFile, tmp_path: pathlib.Path
) -> None:
    put(folder, "file", b"new")
    (tmp_path / "file").write_bytes(b"old")
    assert code_of(lambda: disk.export("/vm/file", PosixFolder(tmp_path), "file")) == errno.EEXIST
    assert (tmp_path / "file").read_bytes() == b"old"


def test_an_adopted_file_is_not_copied_out(disk: MemoryDisk, real: PosixFile, tmp_path: pathlib.Path) -> None:
    disk.adopt("/vm/base", real)
    assert code_of(lambda: disk.export("/vm/base", PosixFolder(tmp_path), "copy")) == errno.ENOTSUP
    assert not (tmp_path / "copy").exists()
