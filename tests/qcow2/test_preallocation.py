"""Preallocated images: as the real tool makes them, clean, and equal to what is not preallocated."""

import json
from pathlib import Path

import pytest

from blockops.errors import InvalidRequest
from blockops.host.posix import PosixFolder
from blockops.qcow2.check import check
from blockops.qcow2.create import create
from blockops.qcow2.preallocation import preallocate
from tests.qcow2.files import BytesFile
from tests.qcow2.real import Tool, agree, contents, opened, run

DISK = (5 << 20) + 512
SHAPES = [(512, 3, False), (4096, 2, False), (65536, 3, False), (16384, 3, True), (2 << 20, 3, False)]


@pytest.mark.real_tool("qemu-img")
@pytest.mark.parametrize("mode", ["off", "metadata", "falloc", "full"])
@pytest.mark.parametrize(("cluster_size", "version", "extended"), SHAPES)
def test_every_cluster_has_its_place_and_reads_as_zeros(
    tmp_path: Path, real_tool: Tool, mode: str, cluster_size: int, version: int, extended: bool
) -> None:
    path = tmp_path / "i.qcow2"
    file = PosixFolder(str(tmp_path)).create("i.qcow2", replace=False)
    create(file, size=DISK, cluster_size=cluster_size, version=version, extended_l2=extended)
    preallocate(file, mode)
    file.close()
    agree(real_tool, path)
    found = json.loads(run(real_tool("qemu-img"), "check", "--output=json", path))
    assert found.get("allocated-clusters", 0) == (0 if mode == "off" else -(-DISK // cluster_size))
    assert contents(real_tool, path) == bytes(DISK)
    blocks = path.stat().st_blocks * 512
    assert blocks >= DISK if mode in ("falloc", "full") else blocks < DISK
    image = opened(path, writable=True)
    assert image.read(0, DISK) == bytes(DISK)
    size = path.stat().st_size
    image.write(100_000, b"x" * 300_000)
    image.close()
    assert mode == "off" or path.stat().st_size == size
    agree(real_tool, path)
    assert contents(real_tool, path)[100_000:400_000] == b"x" * 300_000


@pytest.mark.real_tool("qemu-img")
@pytest.mark.parametrize("mode", ["metadata", "falloc", "full"])
def test_a_preallocated_image_is_as_large_as_the_real_tools(
    tmp_path: Path, real_tool: Tool, mode: str
) -> None:
    file = PosixFolder(str(tmp_path)).create("i.qcow2", replace=False)
    create(file, size=DISK)
    preallocate(file, mode)
    options = f"preallocation={mode}"
    run(real_tool("qemu-img"), "create", "-f", "qcow2", "-o", options, tmp_path / "theirs", str(DISK))
    assert abs(file.size() - (tmp_path / "theirs").stat().st_size) <= 65536


def test_where_the_host_cannot_set_blocks_aside_zeros_are_written() -> None:
    file = BytesFile()
    create(file, size=DISK)
    preallocate(file, "falloc")
    assert sum(len(data) for kind, _, data in file.changes if kind == "write") > DISK
    assert not check(file).corruptions


def test_what_would_hide_the_backing_is_refused() -> None:
    file = BytesFile()
    create(file, size=DISK, backing_file="base.raw")
    file.changes.clear()
    with pytest.raises(InvalidRequest, match="hide the backing file"):
        preallocate(file, "metadata")
    with pytest.raises(InvalidRequest, match="no preallocation 'some'"):
        preallocate(file, "some")
    assert file.changes == []


def test_places_for_subclusters_leave_the_backing_visible() -> None:
    file = BytesFile()
    create(file, size=1 << 20, backing_file="base.raw", extended_l2=True)
    preallocate(file, "metadata")
    assert not check(file).corruptions
    assert check(file).allocated_clusters == 16
