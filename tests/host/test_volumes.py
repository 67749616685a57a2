"""A volume: a name and a size that are given, bytes that are ours."""

import errno
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from blockops.graph.formats import NewImage, Opening, create_image, open_node
from blockops.graph.graph import Graph
from blockops.host.memory import MemoryDisk, MemoryFolder
from blockops.host.posix import PosixFolder
from blockops.lab.images import image_facts
from tests.contracts.host_contract import HostContract
from tests.contracts.host_world import Host, code_of, content, put

OLD = b"old" * 1365 + b"!"


@pytest.fixture
def folder() -> MemoryFolder:
    """A folder with a volume of 256 KiB that is full of somebody's old bytes."""
    disk = MemoryDisk()
    disk.make_volume("/vm/volume", 256 * 1024, OLD)
    return MemoryFolder(disk)


class TestFilesBesideAVolume(HostContract):
    @pytest.fixture
    def host(self) -> Host:
        disk = MemoryDisk()
        disk.make_folder("/vm/sub")
        disk.make_folder("/elsewhere")
        disk.make_volume("/elsewhere/volume", 4096, OLD)
        return Host(MemoryFolder(disk), MemoryFolder(disk))


def test_creating_with_replace_opens_a_volume_as_it_is_and_without_is_refused(folder: MemoryFolder) -> None:
    file = folder.create("volume", replace=True)
    assert (file.size(), file.read(0, 4096)) == (256 * 1024, OLD)
    assert code_of(lambda: folder.create("volume", replace=False)) == errno.EEXIST


def test_its_name_is_not_ours(folder: MemoryFolder) -> None:
    put(folder, "file", b"x")
    assert code_of(lambda: folder.unlink("volume")) == errno.EPERM
    assert code_of(lambda: folder.rename("volume", "other")) == errno.EPERM
    assert code_of(lambda: folder.rename("file", "volume")) == errno.EPERM
    assert content(folder, "volume")[:4096] == OLD
    assert content(folder, "file") == b"x"


def test_it_neither_grows_nor_shrinks(folder: MemoryFolder) -> None:
    file = folder.open("volume", writable=True)
    size = file.size()
    file.truncate(0)
    file.truncate(size)
    assert (file.size(), file.read(0, 4096)) == (size, OLD)
    assert code_of(lambda: file.truncate(size + 1)) == errno.ENOSPC
    assert code_of(lambda: file.write(size, b"x")) == errno.ENOSPC
    assert file.write(size - 2, b"xyz") == 2
    assert (file.size(), file.read(size - 3, 10)) == (size, OLD[-3:-2] + b"xy")
    assert file.write(size, b"") == 0


def test_a_volume_opened_for_reading_is_not_written_and_numbers_stay_numbers(folder: MemoryFolder) -> None:
    reader, writer = folder.open("volume", writable=False), folder.open("volume", writable=True)
    for call in (
        lambda: reader.write(0, b"x"),
        lambda: reader.write(2**20, b"x"),
        lambda: reader.truncate(2**20),
    ):
        assert code_of(call) == errno.EBADF
    assert code_of(lambda: writer.write(-1, b"x")) == errno.EINVAL
    assert code_of(lambda: writer.truncate(-1)) == errno.EINVAL
    writer.close()
    assert code_of(lambda: writer.write(0, b"x")) == errno.EBADF


def test_a_fork_has_volumes_of_its_own(folder: MemoryFolder) -> None:
    twin = MemoryFolder(folder.disk.fork())
    twin.open("volume", writable=True).write(0, b"new")
    assert content(folder, "volume")[:4096] == OLD
    assert code_of(lambda: twin.unlink("volume")) == errno.EPERM
    assert folder.disk.digest() != twin.disk.digest()


# ------------------------------------------------------------------------------------ images on volumes


@pytest.mark.parametrize("cluster_size", [512, 4096, 65536])
def test_an_image_on_a_volume_is_what_it_would_be_in_a_file(folder: MemoryFolder, cluster_size: int) -> None:
    for name in ("volume", "file"):
        new = NewImage(name, "qcow2", 65536, cluster_size=min(cluster_size, 16384), replace=True)
        create_image(folder, new, durable=True)
        for turn in range(5):
            node = open_node(Graph(), folder, name, "qcow2", Opening())
            node.write(turn * 7000, bytes([turn + 1]) * 3000)
            assert node.read(60_000, 5000) == bytes(5000)
            node.close()
        facts = image_facts(folder.disk, f"/vm/{name}")
        assert facts is not None
        assert (facts.format, facts.size, facts.corruptions, facts.leaks) == ("qcow2", 65536, (), 0)
    again = [
        open_node(Graph(), folder, name, "qcow2", Opening(writable=False)) for name in ("volume", "file")
    ]
    assert again[0].read(0, 65536) == again[1].read(0, 65536)


def test_an_image_grows_until_the_volume_is_full_and_then_there_is_no_space(folder: MemoryFolder) -> None:
    create_image(folder, NewImage("volume", "qcow2", 2**20, cluster_size=4096, replace=True), durable=True)
    node = open_node(Graph(), folder, "volume", "qcow2", Opening())
    for turn in range(58):
        node.write(turn * 4096, bytes([turn + 1]) * 4096)
    assert code_of(lambda: node.write(58 * 4096, b"x" * 4096 * 10)) == errno.ENOSPC
    node.flush()
    assert all(node.read(turn * 4096, 4096) == bytes([turn + 1]) * 4096 for turn in range(58))
    facts = image_facts(folder.disk, "/vm/volume")
    assert facts is not None
    assert (facts.corruptions, facts.leaks) == ((), 0)


def test_an_image_that_needs_more_than_the_volume_is_not_made(folder: MemoryFolder) -> None:
    new = NewImage("volume", "qcow2", 2**44, cluster_size=65536, replace=True)
    assert code_of(lambda: create_image(folder, new, durable=True)) == errno.ENOSPC


def test_a_raw_image_has_the_volume_s_size_or_is_refused(folder: MemoryFolder) -> None:
    create_image(folder, NewImage("volume", "raw", 256 * 1024, replace=True), durable=True)
    assert content(folder, "volume") == bytes(256 * 1024)
    with pytest.raises(Exception, match="cannot lie on"):
        create_image(folder, NewImage("volume", "raw", 65536, replace=True), durable=True)


@pytest.mark.real_tool("qemu-img")
def test_the_real_tool_finds_an_image_on_a_volume_sound_and_reads_it_the_same(
    folder: MemoryFolder, tmp_path: Path, real_tool: Callable[[str], str]
) -> None:
    qemu_img = real_tool("qemu-img")
    create_image(folder, NewImage("volume", "qcow2", 65536, cluster_size=4096, replace=True), durable=True)
    node = open_node(Graph(), folder, "volume", "qcow2", Opening())
    node.write(5000, b"x" * 20_000)
    seen = node.read(0, 65536)
    node.close()
    folder.disk.export("/vm/volume", PosixFolder(str(tmp_path)), "volume")
    path = tmp_path / "volume"
    subprocess.run([qemu_img, "check", "-f", "qcow2", path], check=True, capture_output=True)
    raw = tmp_path / "raw"
    subprocess.run([qemu_img, "convert", "-f", "qcow2", "-O", "raw", path, raw], check=True)
    assert raw.read_bytes() == seen
