"""A raw image is its file, rounded up to sectors; nothing is lost silently when a flush fails."""

import errno
import json
import pathlib
import subprocess
from collections.abc import Callable

import attrs
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from blockops.errors import Effect, HostError, InvalidRequest
from blockops.host.api import HostFile, LockMode, write_fully
from blockops.host.memory import MemoryDisk, MemoryFolder
from blockops.host.posix import PosixFolder
from blockops.raw import RawImage
from tests.contracts.short_host import ShortFolder


@attrs.define
class Spy:
    """A host file that counts flushes and fails one on request."""

    _file: HostFile
    flushes: int = 0
    failure: int | None = None

    @property
    def path(self) -> str:
        return self._file.path

    @property
    def writable(self) -> bool:
        return self._file.writable

    def read(self, offset: int, length: int) -> bytes:
        return self._file.read(offset, length)

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> int:
        return self._file.write(offset, data)

    def truncate(self, size: int) -> None:
        self._file.truncate(size)

    def size(self) -> int:
        return self._file.size()

    def flush(self) -> None:
        self.flushes += 1
        failure, self.failure = self.failure, None
        if failure is not None:
            raise HostError("flush", self.path, failure, effect=Effect.UNKNOWN)

    def lock(self, mode: LockMode) -> None:
        self._file.lock(mode)

    def close(self) -> None:
        self._file.close()


@pytest.fixture
def folder() -> MemoryFolder:
    return MemoryFolder(MemoryDisk())


def put(folder: MemoryFolder, data: bytes) -> None:
    file = folder.create("disk.raw", replace=True)
    write_fully(file, 0, data)
    file.close()


def spied(folder: MemoryFolder, data: bytes) -> tuple[RawImage, Spy]:
    put(folder, data)
    spy = Spy(folder.open("disk.raw", writable=True))
    return RawImage(spy), spy


def opened(folder: MemoryFolder, data: bytes, *, writable: bool = True) -> RawImage:
    put(folder, data)
    return RawImage(folder.open("disk.raw", writable=writable))


def on_disk(folder: MemoryFolder) -> bytes:
    return folder.open("disk.raw", writable=False).read(0, 1 << 30)


class RawMachine(RuleBasedStateMachine):
    """A raw image over a host with short transfers against a flat byte model."""

    @initialize(length=st.integers(0, 3000), longest=st.sampled_from([100, 512, 1 << 40]))
    def start(self, length: int, longest: int) -> None:
        memory = MemoryFolder(MemoryDisk())
        data = bytes(i % 251 + 1 for i in range(length))
        put(memory, data)
        self.folder = ShortFolder(memory, longest)
        self.image = RawImage(self.folder.open("disk.raw", writable=True))
        self.model = bytearray(data + bytes(-length % 512))

    @rule(data=st.data(), fill=st.integers(0, 255))
    def write(self, data: st.DataObject, fill: int) -> None:
        start, end = self._range(data)
        self.image.write(start, bytes([fill]) * (end - start))
        self.model[start:end] = bytes([fill]) * (end - start)

    @rule(data=st.data())
    def write_zeroes(self, data: st.DataObject) -> None:
        start, end = self._range(data)
        self.image.write_zeroes(start, end - start)
        self.model[start:end] = bytes(end - start)

    @rule(data=st.data())
    def discard(self, data: st.DataObject) -> None:
        start, end = self._range(data)
        self.image.discard(start, end - start)

    @rule(data=st.data())
    def read(self, data: st.DataObject) -> None:
        start, end = self._range(data)
        assert self.image.read(start, end - start) == self.model[start:end]

    @precondition(lambda self: len(self.model) < 6000)
    @rule(sectors=st.integers(0, 10))
    def resize(self, sectors: int) -> None:
        self.image.resize(len(self.model) + sectors * 512)
        self.model += bytes(sectors * 512)

    @rule()
    def reopen(self) -> None:
        self.image.close()
        self.image = RawImage(self.folder.open("disk.raw", writable=True))

    def _range(self, data: st.DataObject) -> tuple[int, int]:
        points = st.integers(0, len(self.model))
        start, end = sorted((data.draw(points), data.draw(points)))
        return start, end

    @invariant()
    def shows_the_model(self) -> None:
        if hasattr(self, "image"):
            assert self.image.size == len(self.model)
            assert self.image.read(0, self.image.size) == self.model


TestRawMachine = RawMachine.TestCase


@pytest.mark.parametrize(("length", "size"), [(0, 0), (1, 512), (511, 512), (512, 512), (1000, 1024)])
def test_a_size_is_rounded_up_to_the_sector(folder: MemoryFolder, length: int, size: int) -> None:
    image = opened(folder, b"a" * length)
    assert image.size == size
    assert image.read(0, size) == b"a" * length + bytes(size - length)
    image.close()
    assert on_disk(folder) == b"a" * length


def test_a_write_behind_an_odd_end_of_file_lengthens_the_file(folder: MemoryFolder) -> None:
    image = opened(folder, b"a" * 1000)
    image.write(512, b"b" * 512)
    assert image.size == 1024
    image.close()
    assert on_disk(folder) == b"a" * 512 + b"b" * 512


def test_the_file_holds_the_guest_s_bytes_at_the_guest_s_offsets(folder: MemoryFolder) -> None:
    image = opened(folder, bytes(8192))
    image.write(512, b"x" * 1024)
    assert on_disk(folder) == bytes(512) + b"x" * 1024 + bytes(8192 - 1536)


def test_zeroes_are_written_over_more_than_one_block(folder: MemoryFolder) -> None:
    image = opened(folder, b"a" * (3 << 20))
    image.write_zeroes(512, (3 << 20) - 1024)
    assert on_disk(folder) == b"a" * 512 + bytes((3 << 20) - 1024) + b"a" * 512


@pytest.mark.parametrize(
    ("offset", "length"), [(-512, 512), (0, 2048 + 512), (2048, 1), (2**63, 512), (4096, 0)]
)
def test_a_range_outside_the_size_is_refused(folder: MemoryFolder, offset: int, length: int) -> None:
    image = opened(folder, b"a" * 2048)
    for call in (
        lambda: image.read(offset, length),
        lambda: image.write(offset, bytes(length)),
        lambda: image.write_zeroes(offset, length),
        lambda: image.discard(offset, length),
    ):
        with pytest.raises(InvalidRequest):
            call()
    assert on_disk(folder) == b"a" * 2048


def test_a_negative_length_is_refused(folder: MemoryFolder) -> None:
    with pytest.raises(InvalidRequest):
        opened(folder, b"a" * 2048).read(1024, -512)


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image.write(0, b"x" * 512),
        lambda image: image.write_zeroes(0, 512),
        lambda image: image.discard(0, 512),
        lambda image: image.resize(4096),
    ],
    ids=["write", "write_zeroes", "discard", "resize"],
)
def test_an_image_open_for_reading_refuses_every_change(
    folder: MemoryFolder, change: Callable[[RawImage], None]
) -> None:
    image = opened(folder, b"a" * 512, writable=False)
    with pytest.raises(InvalidRequest, match="reading only"):
        change(image)
    image.flush()
    image.close()
    assert on_disk(folder) == b"a" * 512


@pytest.mark.parametrize("size", [0, 512, 1025, -512])
def test_only_whole_sectors_and_only_growth(folder: MemoryFolder, size: int) -> None:
    image = opened(folder, b"a" * 1024)
    with pytest.raises(InvalidRequest):
        image.resize(size)
    assert (image.size, on_disk(folder)) == (1024, b"a" * 1024)


def test_a_flush_reaches_the_host_only_when_something_was_written(folder: MemoryFolder) -> None:
    image, spy = spied(folder, bytes(1024))
    image.flush()
    assert spy.flushes == 0
    changes: list[Callable[[], None]] = [
        lambda: image.write(0, b"x"),
        lambda: image.write_zeroes(0, 512),
        lambda: image.resize(2048),
    ]
    for change in changes:
        before = spy.flushes
        change()
        image.flush()
        image.flush()
        assert spy.flushes == before + 1


def test_a_write_that_failed_is_flushed_too(folder: MemoryFolder) -> None:
    image, spy = spied(folder, bytes(1024))
    spy._file.close()
    with pytest.raises(HostError):
        image.write(0, b"x")
    image.flush()
    assert spy.flushes == 1


def test_once_a_flush_has_failed_no_later_one_claims_success(folder: MemoryFolder) -> None:
    image, spy = spied(folder, bytes(1024))
    image.write(0, b"x")
    spy.failure = errno.ENOSPC
    for _ in range(3):
        with pytest.raises(HostError) as caught:
            image.flush()
        assert (caught.value.code, caught.value.effect) == (errno.ENOSPC, Effect.UNKNOWN)
    assert spy.flushes == 1


def test_close_flushes_and_releases_even_if_the_flush_fails(folder: MemoryFolder) -> None:
    image, spy = spied(folder, bytes(1024))
    image.write(0, b"x")
    spy.failure = errno.EIO
    with pytest.raises(HostError):
        image.close()
    assert spy.flushes == 1
    assert folder.handles == ()
    image.close()


def test_abandon_releases_without_a_flush(folder: MemoryFolder) -> None:
    image, spy = spied(folder, bytes(1024))
    image.write(0, b"x")
    image.abandon()
    image.close()
    assert (spy.flushes, folder.handles) == (0, ())


@pytest.mark.real_tool("qemu-img")
@pytest.mark.parametrize("length", [1, 512, 1000, 70_001])
def test_qemu_sees_the_same_size(
    tmp_path: pathlib.Path, real_tool: Callable[[str], str], length: int
) -> None:
    (tmp_path / "disk.raw").write_bytes(b"a" * length)
    command = [real_tool("qemu-img"), "info", "-f", "raw", "--output=json", str(tmp_path / "disk.raw")]
    info = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    image = RawImage(PosixFolder(tmp_path).open("disk.raw", writable=False))
    assert image.size == info["virtual-size"]
    image.close()
