"""Refcounts of 1 to 64 bits: created, counted, grown, and refused where they are too narrow."""

import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blockops.errors import Effect, InvalidRequest, UnsupportedFeature
from blockops.qcow2.check import check
from blockops.qcow2.create import create
from blockops.qcow2.header import read_header
from blockops.qcow2.image import Qcow2Image
from tests.qcow2.files import BytesFile
from tests.qcow2.guest import Step, expect, pattern, perform, steps
from tests.qcow2.real import Tool, agree, contents, opened, run
from tests.qcow2.small import take_new_clusters_from

WIDTHS = [1, 2, 4, 8, 16, 32, 64]
widths = pytest.mark.parametrize("width", WIDTHS)


def made(path: Path, **options: int | str | bool) -> None:
    """Create an image in a real file."""
    file = BytesFile()
    create(file, **options)  # type: ignore[arg-type]  # whatever it takes
    path.write_bytes(file.content)


@pytest.mark.real_tool("qemu-img")
@widths
@pytest.mark.parametrize("cluster_size", [512, 4096, 65536, 2 << 20])
@pytest.mark.parametrize("size", [0, 1 << 20, 1 << 36])
def test_the_real_tool_accepts_every_width_that_we_create(
    tmp_path: Path, real_tool: Tool, width: int, cluster_size: int, size: int
) -> None:
    path = tmp_path / "i.qcow2"
    made(path, size=size, cluster_size=cluster_size, refcount_bits=width)
    agree(real_tool, path)
    assert f'"refcount-bits": {width},' in run(real_tool("qemu-img"), "info", "--output=json", path)


@pytest.mark.real_tool("qemu-img")
@widths
def test_the_refcount_table_grows_in_every_width(tmp_path: Path, real_tool: Tool, width: int) -> None:
    path, covered = tmp_path / "i.qcow2", (512 // 8) * (512 * 8 // width) * 512
    made(path, size=1 << 20, cluster_size=512, refcount_bits=width)
    with path.open("r+b") as file:
        file.truncate(covered - 40 * 512)
    image = opened(path, writable=True)
    take_new_clusters_from(image, covered - 40 * 512)
    before = image.header.refcount_table_clusters
    image.write(0, pattern(width, 300_000))
    image.close()
    assert image.header.refcount_table_clusters > before
    agree(real_tool, path)
    assert contents(real_tool, path) == pattern(width, 300_000).ljust(1 << 20, b"\0")


@settings(max_examples=60)
@given(width=st.sampled_from(WIDTHS), work=st.lists(steps(), max_size=12))
def test_an_image_of_any_width_does_what_its_guest_asks_and_stays_clean(width: int, work: list[Step]) -> None:
    file, model = BytesFile(), bytearray(100 * 512)
    create(file, size=len(model), cluster_size=512, refcount_bits=width)
    image = Qcow2Image.open(file, writable=True)
    for step in work:
        perform(step, image)
        expect(step, model, 512)
        assert image.read(0, image.size) == model
    image.close()
    file.closed = False
    assert (check(file).corruptions, check(file).leaks) == ((), ())


@pytest.mark.parametrize("width", [0, 3, 128, -1])
def test_another_width_is_refused_before_anything_is_written(width: int) -> None:
    file = BytesFile()
    with pytest.raises(InvalidRequest, match=f"{width} bits"):
        create(file, size=512, refcount_bits=width)
    with pytest.raises(InvalidRequest, match="version 2 has no refcounts of 8 bits"):
        create(file, size=512, version=2, refcount_bits=8)
    assert file.changes == []


@pytest.mark.parametrize("options", [{"lazy_refcounts": True}, {"compression_type": "zstd"}])
def test_what_version_2_lacks_is_refused(options: dict[str, bool]) -> None:
    with pytest.raises(InvalidRequest, match="version 2"):
        create(BytesFile(), size=512, version=2, **options)  # type: ignore[arg-type]  # one of them


def test_a_compression_type_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="no compression type lz4"):
        create(BytesFile(), size=512, compression_type="lz4")


@widths
def test_compressed_clusters_share_a_host_cluster_as_far_as_the_width_goes(width: int) -> None:
    file = BytesFile()
    create(file, size=1 << 20, cluster_size=4096, refcount_bits=width)
    image = Qcow2Image.open(file, writable=True)
    image.write_compressed(0, b"a" * (100 << 12))
    most = max(image._refcounts.get(cluster) for cluster in range(-(-len(file.content) // 4096)))
    assert most <= min((1 << width) - 1, 101)
    image.close()
    assert (most == 1) == (width == 1)
    file.closed = False
    assert (check(file).corruptions, check(file).leaks) == ((), ())


def test_a_count_that_would_overflow_is_refused_and_stays() -> None:
    file = BytesFile()
    create(file, size=1 << 20, cluster_size=4096, refcount_bits=2)
    image = Qcow2Image.open(file, writable=True)
    for _ in range(2):
        image._refcounts.increase(0, 3)
    with pytest.raises(UnsupportedFeature, match="more than 3 references to a cluster with 2-bit") as error:
        image._refcounts.increase(0, 1)
    assert error.value.effect is Effect.NONE
    assert [image._refcounts.get(cluster) for cluster in range(4)] == [3, 3, 3, 1]


@pytest.mark.real_tool("qemu-img", "zstandard")
def test_the_real_tool_sees_the_options_that_we_create_with(tmp_path: Path, real_tool: Tool) -> None:
    path = tmp_path / "i.qcow2"
    made(path, size=1 << 20, lazy_refcounts=True, compression_type="zstd")
    agree(real_tool, path)
    image = opened(path, writable=True)
    image.write_compressed(0, b"q" * (1 << 20))
    image.close()
    agree(real_tool, path)
    found = run(real_tool("qemu-img"), "info", "--output=json", path)
    assert '"lazy-refcounts": true' in found
    assert '"compression-type": "zstd"' in found
    assert contents(real_tool, path) == b"q" * (1 << 20)
    assert struct.unpack(">I", path.read_bytes()[100:104]) == (112,)


def test_plain_images_are_created_as_ever() -> None:
    file = BytesFile()
    create(file, size=1 << 20)
    header = read_header(file)
    assert (header.incompatible, header.compatible, header.additional) == (0, 0, b"")
