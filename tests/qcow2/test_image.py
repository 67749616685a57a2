"""One image: what its requests mean, what they cost the host, and what it refuses."""

import errno
from collections.abc import Callable
from unittest import mock

import pytest

from blockops.errors import Effect, HostError, InvalidRequest
from blockops.qcow2 import durable
from blockops.qcow2.check import check
from blockops.qcow2.create import create
from blockops.qcow2.image import Qcow2Image
from blockops.qcow2.mapping import Kind
from blockops.qcow2.refcounts import Refcounts
from tests.qcow2.files import BytesFile, Failure
from tests.qcow2.guest import pattern
from tests.qcow2.small import CLUSTER, SIZE, Reads, new, take_new_clusters_from


def fail_the_next_flush(file: BytesFile) -> None:
    """Let the flush after the one write of metadata that is due fail, and drop what was not flushed."""
    file.fail_at, file.failure = len(file.changes) + 1, Failure.DROPPING


def operations(file: BytesFile) -> list[str]:
    """Return the kinds of the changes since the last call."""
    kinds = [change[0] for change in file.changes]
    file.changes.clear()
    return kinds


# ------------------------------------------------------------------------------------------- requests


@pytest.mark.parametrize(("offset", "length"), [(-1, 1), (0, SIZE + 1), (SIZE, 1), (5, -1), (SIZE + 1, 0)])
def test_a_request_outside_the_disk_is_refused_and_changes_nothing(offset: int, length: int) -> None:
    file, image = new()
    requests: list[Callable[[], object]] = [
        lambda: image.read(offset, length),
        lambda: image.write_zeroes(offset, length),
        lambda: image.discard(offset, length),
    ]
    if length >= 0:
        requests.append(lambda: image.write(offset, bytes(length)))
    for request in requests:
        with pytest.raises(InvalidRequest):
            request()
    assert file.changes == []


def test_an_empty_request_does_nothing() -> None:
    file, image = new()
    assert image.read(SIZE, 0) == b""
    image.write(SIZE, b"")
    image.write_zeroes(0, 0)
    image.discard(SIZE, 0)
    assert not image.dirty
    assert file.changes == []


def test_a_read_only_image_refuses_every_change() -> None:
    file, image = new()
    image.close()
    file.closed = False
    image = Qcow2Image.open(file, writable=False)
    requests: list[Callable[[], None]] = [
        lambda: image.write(0, b"x"),
        lambda: image.write_zeroes(0, 1),
        lambda: image.discard(0, 1),
        lambda: image.resize(2 * SIZE),
    ]
    for request in requests:
        with pytest.raises(InvalidRequest, match="read-only"):
            request()
    image.flush()
    image.close()
    assert file.changes == []


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_buffer_can_be_written_and_changed_afterwards(kind: Callable[[bytearray], bytes]) -> None:
    file, image = new()
    buffer = bytearray(b"abc")
    image.write(CLUSTER - 1, kind(buffer))
    buffer[0:3] = b"xyz"
    fail_the_next_flush(file)
    with pytest.raises(HostError):
        image.flush()
    image.flush()
    assert image.read(CLUSTER - 1, 3) == b"abc"


def test_a_disk_only_grows_and_in_whole_sectors() -> None:
    _, image = new()
    for size in (SIZE - 1 - 511, -5, 1 << 62):
        with pytest.raises(InvalidRequest, match="cannot be resized"):
            image.resize(size)
    image.resize(SIZE + 1)
    assert image.size == SIZE + 512


def test_an_image_knows_what_was_written_to_it_even_zeros_and_not_what_its_backing_has() -> None:
    _, image = new(backing=Reads())
    assert image.stretch(0, SIZE) == (Kind.UNALLOCATED, SIZE)
    image.write(2 * CLUSTER + 7, b"x")
    image.write_zeroes(5 * CLUSTER, CLUSTER)
    assert image.stretch(CLUSTER, SIZE - CLUSTER) == (Kind.UNALLOCATED, CLUSTER)
    assert image.stretch(2 * CLUSTER + 1, CLUSTER) == (Kind.DATA, CLUSTER - 1)
    assert image.stretch(5 * CLUSTER, 2 * CLUSTER) == (Kind.ZERO, CLUSTER)
    with pytest.raises(InvalidRequest):
        image.stretch(SIZE - 1, 2)


def test_growing_over_a_longer_backing_shows_zeros() -> None:
    file, _ = new(size=CLUSTER + 512, backing=Reads())
    image = Qcow2Image.open(file, writable=True, backing=Reads())
    image.write(CLUSTER, b"x")
    image.resize(3 * CLUSTER)
    assert image.read(CLUSTER + 512, 2 * CLUSTER - 512) == bytes(2 * CLUSTER - 512)
    assert image.read(0, CLUSTER + 512) == b"".join(
        (pattern(3, SIZE)[:CLUSTER], b"x", pattern(3, SIZE)[CLUSTER + 1 : CLUSTER + 512])
    )


def test_the_backing_can_be_set_while_the_image_is_open() -> None:
    _, image = new(backing=Reads())
    image.backing = None
    image.write(0, b"x")
    image.discard(CLUSTER, CLUSTER)
    assert image.read(5, 5) == bytes(5)
    image.backing = Reads()
    assert image.read(CLUSTER, 2 * CLUSTER) == bytes(CLUSTER) + pattern(3, SIZE)[2 * CLUSTER : 3 * CLUSTER]


def test_a_backing_is_never_read_past_its_end() -> None:
    short = Reads(pattern(3, CLUSTER + 100))
    _, image = new(backing=short)
    assert image.read(0, SIZE) == short.data.ljust(SIZE, b"\0")
    image.write(CLUSTER + 50, b"y")
    assert image.read(CLUSTER, CLUSTER) == (
        short.data[CLUSTER:][:50] + b"y" + short.data[CLUSTER + 51 :]
    ).ljust(CLUSTER, b"\0")


def test_a_discarded_range_reads_as_zeros_to_the_byte() -> None:
    for version in (2, 3):
        backing = Reads()
        _, image = new(version=version, backing=backing)
        image.write(3 * CLUSTER, b"z" * CLUSTER)
        image.discard(100, 5 * CLUSTER)
        assert image.read(0, 6 * CLUSTER) == (
            backing.data[:100] + bytes(5 * CLUSTER) + backing.data[100 + 5 * CLUSTER : 6 * CLUSTER]
        )


# ---------------------------------------------------------------------------------- what the host sees


def test_one_run_is_one_host_operation() -> None:
    file, image = new()
    image.write(0, pattern(1, 16 * CLUSTER))
    assert operations(file) == ["write"]
    image.write(3 * CLUSTER + 7, pattern(2, 5 * CLUSTER))
    assert operations(file) == ["write"]


def test_copying_a_cluster_is_one_read_and_one_write() -> None:
    backing = Reads()
    file, image = new(backing=backing)
    image.write(CLUSTER + 10, b"x" * 20)
    assert backing.asked == [(CLUSTER, CLUSTER)]
    assert operations(file) == ["write"]
    image.write(5 * CLUSTER - 1, b"x" * (2 + 3 * CLUSTER))
    assert backing.asked[1:] == [(4 * CLUSTER, CLUSTER - 1), (8 * CLUSTER + 1, CLUSTER - 1)]
    assert operations(file) == ["write"]


def test_a_whole_cluster_is_written_without_reading_the_backing() -> None:
    backing = Reads()
    file, image = new(backing=backing)
    image.write(CLUSTER, b"x" * CLUSTER)
    assert backing.asked == []
    assert operations(file) == ["write"]


def test_a_flush_orders_data_refcounts_l2_and_l1_and_a_second_one_does_nothing() -> None:
    file, image = new()
    image.write(0, b"x")
    image.flush()
    assert operations(file) == ["write", "write", "flush", "write", "flush", "write", "flush"]
    assert not image.dirty
    image.flush()
    image.close()
    assert operations(file) == []


def test_the_first_flush_reaches_the_host_even_if_nothing_was_written() -> None:
    file, image = new()
    image.flush()
    assert operations(file) == ["flush"]


def test_discarded_clusters_are_used_again_after_a_flush() -> None:
    file, image = new()
    image.write(0, b"x" * 8 * CLUSTER)
    image.flush()
    size = file.size()
    image.discard(0, 8 * CLUSTER)
    image.flush()
    image.write(0, b"y" * 8 * CLUSTER)
    image.close()
    assert len(file.content) == size
    file.closed = False
    assert not check(file).leaks
    assert not check(file).corruptions


def test_the_last_cluster_freed_and_then_taken_for_a_table_is_not_taken_twice() -> None:
    file, image = new(size=1 << 20)
    image.write(0, b"x" * 3 * CLUSTER)
    image.close()
    file.closed = False
    image = Qcow2Image.open(file, writable=True)
    image.discard(2 * CLUSTER, CLUSTER)
    image.flush()
    image.resize(4 << 30)
    image.write(5 * CLUSTER, b"y" * 2 * CLUSTER)
    image.close()
    file.closed = False
    assert not check(file).corruptions
    assert Qcow2Image.open(file, writable=False).read(5 * CLUSTER, 2 * CLUSTER) == b"y" * 2 * CLUSTER


def test_a_cluster_that_is_used_again_shows_nothing_of_what_it_held() -> None:
    _, image = new()
    image.write(0, b"secret" * (CLUSTER // 3))
    image.discard(0, 2 * CLUSTER)
    image.flush()
    image.write(CLUSTER + 100, b"y" * CLUSTER)
    assert image.read(0, 4 * CLUSTER) == (bytes(CLUSTER + 100) + b"y" * CLUSTER).ljust(4 * CLUSTER, b"\0")


@pytest.mark.parametrize("failure", [Failure.BEFORE, Failure.AFTER, Failure.TORN])
def test_a_failed_allocating_write_has_no_effect_and_leaks_nothing(failure: Failure) -> None:
    file, image = new()
    image.write(0, b"x")
    file.fail_at, file.failure = len(file.changes), failure
    with pytest.raises(HostError) as error:
        image.write(CLUSTER + 5, b"y" * 3 * CLUSTER)
    assert error.value.effect is Effect.NONE
    assert image.read(CLUSTER, 4 * CLUSTER) == bytes(4 * CLUSTER)
    image.write(3 * CLUSTER + 9, b"z")
    assert image.read(CLUSTER, 4 * CLUSTER) == (bytes(2 * CLUSTER + 9) + b"z").ljust(4 * CLUSTER, b"\0")
    image.close()
    file.closed = False
    assert not check(file).leaks
    assert not check(file).corruptions


def test_clusters_that_could_not_be_freed_are_freed_by_a_later_flush() -> None:
    file, image = new()
    image.write(0, b"x" * 4 * CLUSTER)
    image.close()
    file.closed = False
    image = Qcow2Image.open(file, writable=True)
    image.discard(0, 4 * CLUSTER)
    file.fail_read_at = file.reads
    image.flush()
    image.close()
    file.closed = False
    assert not check(file).leaks


def test_a_refcount_table_that_could_not_grow_stays_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    file = BytesFile()
    create(file, size=SIZE, cluster_size=512)
    file.truncate((8 << 20) - 1024)
    image = Qcow2Image.open(file, writable=True)
    take_new_clusters_from(image, file.size())
    broken = HostError("read", file.path, errno.EIO)
    with monkeypatch.context() as patch:
        patch.setattr(Refcounts, "allocate_contiguous", mock.Mock(side_effect=broken))
        with pytest.raises(HostError):
            image.write(0, b"x" * 9000)
        image.flush()
    image.write(0, b"y" * 9000)
    image.close()
    file.closed = False
    assert not check(file).corruptions
    assert Qcow2Image.open(file, writable=False).read(0, 9000) == b"y" * 9000


def test_creating_a_small_image_takes_two_host_operations() -> None:
    file = BytesFile()
    create(file, size=SIZE, cluster_size=512, backing_file="base.qcow2", backing_format="qcow2")
    assert operations(file) == ["truncate", "write"]


# ---------------------------------------------------------------------------------------- its own end


def test_close_reports_a_failed_flush_after_the_file_is_released() -> None:
    file, image = new()
    image.write(0, b"x")
    file.fail_at = 1
    with pytest.raises(HostError) as error:
        image.close()
    assert error.value.effect is Effect.UNKNOWN
    assert file.closed
    image.close()


def test_abandoning_writes_nothing() -> None:
    file, image = new()
    image.write(0, b"x")
    assert image.dirty
    operations(file)
    image.abandon()
    assert operations(file) == []
    assert file.closed


def test_beyond_what_is_remembered_a_failed_flush_is_final(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "REMEMBERED", 3 * CLUSTER)
    file, image = new()
    image.write(0, b"x" * 4 * CLUSTER)
    fail_the_next_flush(file)
    for _ in range(3):
        with pytest.raises(HostError):
            image.flush()
    image.abandon()


def test_what_a_failed_flush_dropped_is_written_again_in_the_order_of_the_writes() -> None:
    file, image = new()
    image.write(0, b"a" * 16)
    image.write(0, b"b" * 32)
    image.write(0, b"c" * 16)
    image.write(16, b"d" * 4)
    fail_the_next_flush(file)
    with pytest.raises(HostError):
        image.flush()
    assert image.read(0, 32) == b"c" * 16 + b"d" * 4 + b"b" * 12
    image.flush()
    assert image.read(0, 32) == b"c" * 16 + b"d" * 4 + b"b" * 12


def test_what_is_remembered_is_bounded() -> None:
    _, image = new(size=1 << 30)
    for offset in range(0, 64 << 20, 1 << 20):
        image.write(offset, bytes(1 << 20))
    image.write(0, b"x")
    assert not image._file._unsure
    image.abandon()
