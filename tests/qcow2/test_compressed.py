"""Compressed clusters: the real tools' are read equal and overwritten, ours are clean and equal to them."""

import random
import struct
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blockops.errors import ImageError, InvalidRequest, UnsupportedFeature
from blockops.qcow2 import compression
from blockops.qcow2.check import check
from blockops.qcow2.create import create
from blockops.qcow2.image import Qcow2Image
from tests.qcow2.files import BytesFile
from tests.qcow2.guest import CLUSTER_SIZES, Step, expect, pattern, perform, steps
from tests.qcow2.real import Tool, agree, contents, mixed, opened, run
from tests.qcow2.small import CLUSTER, SIZE, new

DISK = 700_416
LAYOUTS = [
    *(f"cluster_size={512 << shift}" for shift in range(0, 13, 2)),
    *(f"cluster_size={512 << shift},compression_type=zstd" for shift in range(0, 13, 2)),
    "compat=0.10,cluster_size=1024",
    *(f"cluster_size=4096,refcount_bits={1 << order}" for order in range(7)),
]
layouts = pytest.mark.parametrize("options", LAYOUTS)


def packed_by_the_real_tool(real_tool: Tool, folder: Path, options: str, data: bytes) -> Path:
    raw, path = folder / "data.raw", folder / "i.qcow2"
    raw.write_bytes(data)
    run(real_tool("qemu-img"), "convert", "-c", "-O", "qcow2", "-o", options, raw, path)
    return path


# ------------------------------------------------------------------------------------ theirs, read by us


@pytest.mark.real_tool("qemu-img", "zstandard")
@layouts
def test_what_the_real_tool_compressed_reads_equal(tmp_path: Path, real_tool: Tool, options: str) -> None:
    data = mixed(DISK, 1)
    path = packed_by_the_real_tool(real_tool, tmp_path, options, data)
    agree(real_tool, path)
    image = opened(path)
    assert image.read(0, DISK) == data
    for offset in range(0, DISK - 70_000, 65_536 - 513):
        assert image.read(offset, 4097) == data[offset : offset + 4097]


@pytest.mark.real_tool("qemu-img", "zstandard")
@layouts
def test_what_the_real_tool_compressed_is_overwritten(tmp_path: Path, real_tool: Tool, options: str) -> None:
    data = bytearray(mixed(DISK, 2))
    path = packed_by_the_real_tool(real_tool, tmp_path, options, bytes(data))
    image = opened(path, writable=True)
    for offset, length in ((0, 10), (5000, 9000), (300_001, 2), (400_000, 200_000)):
        image.write(offset, pattern(offset % 200, length))
        data[offset : offset + length] = pattern(offset % 200, length)
        image.flush()
    image.discard(100_000, 150_000)
    data[100_000:250_000] = bytes(150_000)
    image.close()
    agree(real_tool, path)
    assert contents(real_tool, path) == data
    assert opened(path).read(0, DISK) == data


# ------------------------------------------------------------------------------------ ours, read by them


@pytest.mark.real_tool("qemu-img", "zstandard")
@layouts
def test_what_we_compress_the_real_tool_reads(tmp_path: Path, real_tool: Tool, options: str) -> None:
    path, data = tmp_path / "i.qcow2", mixed(DISK, 3)
    run(real_tool("qemu-img"), "create", "-q", "-f", "qcow2", "-o", options, path, str(DISK))
    image = opened(path, writable=True)
    image.write_compressed(0, data)
    image.close()
    agree(real_tool, path)
    assert contents(real_tool, path) == data
    if not options.endswith("refcount_bits=1"):
        theirs = packed_by_the_real_tool(real_tool, tmp_path, options, data)
        assert path.stat().st_size <= theirs.stat().st_size + 2 * image.header.geometry.cluster_size


@pytest.mark.real_tool("qemu-img")
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    version=st.sampled_from([2, 3]),
    cluster_size=st.sampled_from(CLUSTER_SIZES),
    work=st.lists(steps(("write", "compress", "compress", "zero", "discard", "flush")), max_size=15),
)
def test_the_real_tool_finds_compressed_and_other_writes_in_any_order_clean_and_equal(
    tmp_path: Path, real_tool: Tool, version: int, cluster_size: int, work: list[Step]
) -> None:
    path, model = tmp_path / "i.qcow2", bytearray(200 * 512)
    file = BytesFile()
    create(file, size=len(model), cluster_size=cluster_size, version=version)
    image = Qcow2Image.open(file, writable=True)
    for step in work:
        perform(step, image)
        expect(step, model, cluster_size)
        assert image.read(0, len(model)) == model
    image.close()
    path.write_bytes(file.content)
    agree(real_tool, path)
    assert contents(real_tool, path) == model


# ---------------------------------------------------------------------------------- packing and refusing


def test_compressed_clusters_share_host_clusters_and_free_them_with_the_last() -> None:
    file, image = new()
    before = len(file.content)
    image.write_compressed(0, b"a" * 32 * CLUSTER)
    image.close()
    assert len(file.content) < before + 3 * CLUSTER
    file.closed = False
    image = Qcow2Image.open(file, writable=True)
    image.discard(0, 31 * CLUSTER)
    image.flush()
    assert image.read(31 * CLUSTER, CLUSTER) == b"a" * CLUSTER
    image.discard(31 * CLUSTER, CLUSTER)
    image.flush()
    image.write_compressed(0, b"b" * CLUSTER)
    assert image.read(0, SIZE) == (b"b" * CLUSTER).ljust(SIZE, b"\0")
    image.close()
    file.closed = False
    assert (check(file).corruptions, check(file).leaks) == ((), ())


def test_a_cluster_freed_while_others_are_packed_is_not_packed_into() -> None:
    file, image = new()
    image.write_compressed(0, b"a" * CLUSTER)
    image.discard(0, CLUSTER)
    image.flush()
    image.write(CLUSTER, b"d" * CLUSTER)
    image.write_compressed(0, b"c" * CLUSTER)
    assert image.read(0, 2 * CLUSTER) == b"c" * CLUSTER + b"d" * CLUSTER
    image.close()
    file.closed = False
    assert (check(file).corruptions, check(file).leaks) == ((), ())


def test_what_does_not_get_smaller_is_written_as_it_is() -> None:
    _, image = new()
    noise = random.Random(1).randbytes(CLUSTER)
    image.write_compressed(0, noise)
    image.write(5, b"x")
    assert image.read(0, CLUSTER) == noise[:5] + b"x" + noise[6:]


def test_the_last_cluster_of_a_disk_may_be_a_part() -> None:
    _, image = new(size=CLUSTER + 512)
    image.write_compressed(CLUSTER, b"e" * 512)
    assert image.read(0, CLUSTER + 512) == bytes(CLUSTER) + b"e" * 512
    image.resize(3 * CLUSTER)
    assert image.read(CLUSTER, CLUSTER) == b"e" * 512 + bytes(CLUSTER - 512)


@pytest.mark.parametrize(("offset", "length"), [(1, CLUSTER), (0, CLUSTER - 1), (CLUSTER, CLUSTER + 1)])
def test_parts_of_clusters_are_not_compressed(offset: int, length: int) -> None:
    file, image = new()
    with pytest.raises(InvalidRequest, match="whole clusters"):
        image.write_compressed(offset, bytes(length))
    assert file.changes == []


@pytest.mark.real_tool("zstandard")
@pytest.mark.parametrize("kind", [0, 1])
def test_damaged_data_is_named_with_its_place(kind: int) -> None:
    file, image = new()
    image.close()
    file.closed = False
    if kind:
        struct.pack_into(">Q", file.content, 72, 8)
        struct.pack_into(">IQ", file.content, 100, 112, 1 << 56)
    image = Qcow2Image.open(file, writable=True)
    image.write_compressed(0, pattern(1, CLUSTER))
    image.flush()
    host = image._map.compressed(0).host
    for damage in (b"\xff" * 8, bytes(8)):
        file.content[host : host + 8] = damage
        again = Qcow2Image.open(file, writable=False)
        with pytest.raises(ImageError, match="cannot be decompressed") as error:
            again.read(5, 5)
        assert (error.value.structure, error.value.offset) == ("compressed cluster", host)


def test_zstd_without_its_library_says_what_to_install() -> None:
    with (
        mock.patch("blockops.qcow2.compression.importlib.import_module", side_effect=ImportError),
        pytest.raises(UnsupportedFeature, match=r"pip install 'blockops\[zstd\]'"),
    ):
        compression.compression(1, "i.qcow2")


@pytest.mark.real_tool("zstandard")
def test_a_zstd_cluster_may_be_several_frames() -> None:
    method = compression.compression(1, "i")
    frames = method.compress(b"a" * 1000) + method.compress(b"b" * 1000) + b"what follows is somebody else's"
    assert method.decompress(frames, 2000) == b"a" * 1000 + b"b" * 1000
    with pytest.raises(compression.BadData):
        method.decompress(frames, 2001)


@pytest.mark.real_tool("zstandard")
@pytest.mark.parametrize("kind", [0, 1])
def test_no_more_than_a_cluster_is_ever_decompressed(kind: int) -> None:
    method = compression.compression(kind, "i")
    bomb = method.compress(bytes(64 << 20))
    assert method.decompress(bomb, 4096) == bytes(4096)
