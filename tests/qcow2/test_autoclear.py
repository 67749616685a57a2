"""Autoclear bits and persistent bitmaps: kept while nothing is written, cleared before anything else is."""

import json
import struct
from pathlib import Path

import pytest

from blockops.errors import HostError, ImageError
from blockops.qcow2.check import Verdict, check
from blockops.qcow2.create import create
from blockops.qcow2.header import read_header
from blockops.qcow2.image import Qcow2Image
from blockops.qcow2.repair import repair
from tests.qcow2.drawn import DIRECTORY, Shape, draw_with_bitmap
from tests.qcow2.files import BytesFile, Failure
from tests.qcow2.real import Tool, agree, contents, opened, run
from tests.qcow2.small import CLUSTER

BITS = 1 | 1 << 7


def with_bits(bits: int = BITS) -> BytesFile:
    file = BytesFile()
    create(file, size=1 << 20, cluster_size=CLUSTER)
    struct.pack_into(">Q", file.content, 88, bits)
    file.flush()
    file.changes.clear()
    return file


def test_an_image_that_is_only_read_keeps_its_bits() -> None:
    file = with_bits()
    image = Qcow2Image.open(file, writable=True)
    image.read(0, 1 << 20)
    image.flush()
    image.close()
    assert read_header(BytesFile(file.content)).autoclear == BITS


CHANGES = {
    "write": lambda image: image.write(0, b"x"),
    "compressed": lambda image: image.write_compressed(0, bytes(CLUSTER)),
    "snapshot": lambda image: image.snapshots.create("a"),
    "resize": lambda image: image.resize(2 << 20),
}


@pytest.mark.parametrize("name", CHANGES)
def test_bits_are_cleared_before_anything_else_is_written(name: str) -> None:
    file = with_bits()
    image = Qcow2Image.open(file, writable=True)
    file.changes.clear()
    CHANGES[name](image)
    image.close()
    changes = [change for at, change in enumerate(file.changes) if at or change[0] != "flush"]
    assert [change[:2] for change in changes[:2]] == [("write", 0), ("flush", 0)]
    assert struct.unpack_from(">Q", changes[0][2], 88) == (0,)
    assert image.header.autoclear == read_header(BytesFile(file.content)).autoclear == 0


@pytest.mark.parametrize("failure", Failure)
@pytest.mark.parametrize("at", [0, 1])
def test_where_they_cannot_be_cleared_nothing_is_written(failure: Failure, at: int) -> None:
    file = with_bits()
    image = Qcow2Image.open(file, writable=True)
    file.fail_at, file.failure = at, failure
    with pytest.raises(HostError):
        image.write(0, b"x")
    assert all(offset == 0 and len(data) in (0, 104) for _, offset, data in file.changes)
    image.write(0, b"y")
    image.close()
    file.closed = False
    assert read_header(file).autoclear == 0
    assert Qcow2Image.open(file, writable=False).read(0, 1) == b"y"


@pytest.mark.real_tool("qemu-img", "qemu-io")
def test_real_bitmaps_are_listed_kept_and_given_up_by_a_write(tmp_path: Path, real_tool: Tool) -> None:
    path = tmp_path / "i.qcow2"
    run(real_tool("qemu-img"), "create", "-f", "qcow2", path, "10M")
    run(real_tool("qemu-img"), "bitmap", "--add", "-g", "4k", path, "first")
    run(real_tool("qemu-img"), "bitmap", "--add", "--disable", path, "second")
    run(real_tool("qemu-io"), "-c", "write -P 3 1M 70k", path)
    listed = json.loads(run(real_tool("qemu-img"), "info", "--output=json", path))
    theirs = listed["format-specific"]["data"]["bitmaps"]
    image = opened(path, writable=True)
    ours = [
        (one.name, one.granularity, ["auto"] * one.auto + ["in-use"] * one.in_use) for one in image.bitmaps
    ]
    assert ours == [(one["name"], one["granularity"], one["flags"]) for one in theirs]
    assert image.read(1 << 20, 1000) == b"\3" * 1000
    image.close()
    agree(real_tool, path)
    assert "first" in run(real_tool("qemu-img"), "info", path)
    image = opened(path, writable=True)
    image.write(0, b"w")
    assert image.bitmaps == ()
    image.close()
    file = BytesFile(bytearray(path.read_bytes()))
    assert check(file).verdict is Verdict.LEAKS
    assert repair(file, leaks_only=True).corruptions == 0
    path.write_bytes(file.content)
    agree(real_tool, path)
    assert contents(real_tool, path)[:2] == b"w\0"


BAD = {
    "its length": (108, ">I", 16),
    "there cannot be 0": (112, ">I", 0),
    "cannot have": (128, ">Q", 7),
    "ends within": (120, ">Q", 1 << 20),
    "of type": (Shape().at(DIRECTORY) + 16, ">B", 2),
}


@pytest.mark.parametrize("says", BAD)
def test_a_directory_that_lies_is_named(says: str) -> None:
    file = BytesFile(draw_with_bitmap(Shape()))
    place, form, value = BAD[says]
    struct.pack_into(form, file.content, place, value)
    image = Qcow2Image.open(file, writable=False)
    with pytest.raises(ImageError) as error:
        _ = image.bitmaps
    assert "bitmap" in error.value.structure
