"""Images that lie: what is wrong is named with its place and value, and nothing is made worse."""

import struct

import pytest

from blockops.errors import Effect, ImageError
from blockops.qcow2.check import check
from blockops.qcow2.create import create
from blockops.qcow2.image import Qcow2Image
from tests.qcow2.files import BytesFile
from tests.qcow2.small import CLUSTER, SIZE, new


def entry(file: BytesFile, offset: int) -> int:
    return int(struct.unpack_from(">Q", file.content, offset)[0])


def written() -> tuple[BytesFile, int, int]:
    """Return an image with one cluster of data, and where its L1 and L2 entries for it are."""
    file, image = new()
    image.write(0, b"x" * CLUSTER)
    image.close()
    file.closed = False
    l1 = image.header.l1_offset
    return file, l1, entry(file, l1) & ((1 << 56) - 512)


@pytest.mark.parametrize("value", [1 << 57, 513, (1 << 63) + 2, 1 << 63])
def test_a_bad_l2_entry_is_named_with_its_place_and_value(value: int) -> None:
    file, _, l2 = written()
    struct.pack_into(">Q", file.content, l2 + 8, value)
    image = Qcow2Image.open(file, writable=True)
    assert image.read(0, CLUSTER) == b"x" * CLUSTER
    for request in (
        lambda: image.read(0, 2 * CLUSTER),
        lambda: image.write(CLUSTER + 1, b"y"),
        lambda: image.discard(CLUSTER, CLUSTER),
    ):
        with pytest.raises(ImageError, match=f"{value:#018x}") as error:
            request()
        assert (error.value.structure, error.value.offset) == ("L2 table", l2 + 8)


@pytest.mark.parametrize("value", [1, 1 << 60, 513, (1 << 63) + 256])
def test_a_bad_l1_entry_is_named_with_its_place_and_value(value: int) -> None:
    file, l1, _ = written()
    struct.pack_into(">Q", file.content, l1, value)
    image = Qcow2Image.open(file, writable=True)
    for request in (
        lambda: image.read(0, 1),
        lambda: image.write(0, b"y"),
        lambda: image.discard(0, CLUSTER),
    ):
        with pytest.raises(ImageError, match=f"{value:#018x}") as error:
            request()
        assert (error.value.structure, error.value.offset) == ("L1 table", l1)


def test_a_table_beyond_the_end_of_the_file_is_named() -> None:
    file, l1, _ = written()
    struct.pack_into(">Q", file.content, l1, 1 << 63 | 1 << 40)
    with pytest.raises(ImageError, match="L2 table at offset 1099511627776: the file ends"):
        Qcow2Image.open(file, writable=False).read(0, 1)


def test_data_beyond_the_end_of_the_file_reads_as_zeros_as_in_qemu() -> None:
    file, _, l2 = written()
    struct.pack_into(">Q", file.content, l2, 1 << 63 | 1 << 40)
    assert Qcow2Image.open(file, writable=False).read(0, CLUSTER) == bytes(CLUSTER)


@pytest.mark.parametrize("value", [7, 513, 1 << 50])
def test_a_bad_refcount_table_entry_fails_the_write_and_nothing_else(value: int) -> None:
    file, _, _ = written()
    struct.pack_into(">Q", file.content, CLUSTER, value)
    image = Qcow2Image.open(file, writable=True)
    with pytest.raises(ImageError, match="refcount") as error:
        image.write(CLUSTER, b"y")
    assert error.value.effect is Effect.NONE
    assert image.read(0, 2 * CLUSTER) == b"x" * CLUSTER + bytes(CLUSTER)


def test_a_cluster_counted_beyond_the_end_of_the_file_is_not_shared() -> None:
    file, _, _ = written()
    first_free = len(file.content) // CLUSTER
    struct.pack_into(">3H", file.content, 2 * CLUSTER + 2 * first_free, 1, 0, 1)
    image = Qcow2Image.open(file, writable=True)
    image.write(CLUSTER, b"y" * 4 * CLUSTER)
    image.close()
    file.closed = False
    report = check(file)
    assert not report.corruptions
    assert len(report.leaks) == 2


def test_a_moved_table_does_not_cover_a_cluster_counted_beyond_the_end_of_the_file() -> None:
    file = BytesFile()
    create(file, size=SIZE, cluster_size=512)
    first_free = len(file.content) // 512
    struct.pack_into(">H", file.content, 2 * 512 + 2 * (first_free + 1), 1)
    image = Qcow2Image.open(file, writable=True)
    image.resize(8 * SIZE)
    image.close()
    file.closed = False
    assert len(check(file).leaks) == 1
    assert not check(file).corruptions


@pytest.mark.parametrize("shared", ["table", "cluster", "both"])
def test_what_is_not_marked_as_ours_alone_is_copied_before_it_is_written(shared: str) -> None:
    file, l1, l2 = written()
    host = entry(file, l2) & ((1 << 56) - 512)
    for place in {"table": [l1], "cluster": [l2], "both": [l1, l2]}[shared]:
        struct.pack_into(">Q", file.content, place, entry(file, place) & ~(1 << 63))
    image = Qcow2Image.open(file, writable=True)
    assert image.read(0, CLUSTER) == b"x" * CLUSTER
    image.write(1, b"y")
    image.close()
    assert file.content[host : host + CLUSTER] == b"x" * CLUSTER
    file.closed = False
    assert Qcow2Image.open(file, writable=False).read(0, CLUSTER) == b"xy" + b"x" * (CLUSTER - 2)
    assert not check(file).corruptions
    assert not check(file).leaks


def test_a_cluster_in_use_that_is_counted_zero_times_is_named_when_it_is_freed() -> None:
    file, _, l2 = written()
    host = (entry(file, l2) & ((1 << 56) - 512)) // CLUSTER
    struct.pack_into(">H", file.content, 2 * CLUSTER + 2 * host, 0)
    image = Qcow2Image.open(file, writable=True)
    image.discard(0, CLUSTER)
    with pytest.raises(ImageError, match="counted 0 times"):
        image.flush()
    image.flush()
    image.close()
