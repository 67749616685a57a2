"""Anything at all is opened as an image, checked, read and written: what must never happen.

    nothing but a `BlockError` comes out, and each is one line
    work is bounded by what is there, not by what is claimed: so many operations and bytes for a file's size
    an image that is clean reads to its end, and is clean still when it was written to

The bounds are generous, since nobody would notice a factor of two, and hard, since a claimed number
can be a billion times the true one.
"""

import errno
from collections.abc import Callable

import attrs

from blockops.errors import BlockError, HostError, ImageError
from blockops.qcow2.bitmap_directory import BITMAPS_EXTENSION
from blockops.qcow2.check import CheckReport, Verdict, check
from blockops.qcow2.image import Qcow2Image
from blockops.units import KIB, SECTOR
from tests.qcow2.files import BytesFile

PIECE = 4 * KIB
"""How much is read or written at one place."""

READABLE = 256 * KIB
"""Up to this size all of the disk is read."""


class TooMuch(AssertionError):
    """More was done than a file of that size can need."""


@attrs.define(eq=False)
class MeasuredFile(BytesFile):
    """A file that counts what is done to it since `allow`, and allows only so much.

    *bounded*: it may not grow by much, either; else it cannot: it is full then.
    """

    bounded: bool = True
    operations: int = 0
    transferred: int = 0
    _size_before: int = 0

    def allow(self) -> None:
        """Begin to count anew."""
        self.operations = self.transferred = 0
        self._size_before = len(self.content)

    def read(self, offset: int, length: int) -> bytes:
        data = super().read(offset, length)
        self._count(len(data))
        return data

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> int:
        self._bound_growth(offset + len(data))
        self._count(len(data))
        return super().write(offset, data)

    def truncate(self, size: int) -> None:
        self._bound_growth(size)
        super().truncate(size)

    def _count(self, length: int) -> None:
        self.operations += 1
        self.transferred += length
        if self.operations > 2_000 + 16 * (self._size_before // SECTOR):
            raise TooMuch(f"{self.operations} operations on a file of {self._size_before} bytes")
        if self.transferred > (64 * KIB + self._size_before) * 64:
            raise TooMuch(f"{self.transferred} bytes moved in a file of {self._size_before} bytes")

    def _bound_growth(self, end: int) -> None:
        # Every new cluster has 2 MiB at most: data, a table, a refcount block and a refcount table.
        if end <= self._size_before + 64 * KIB * KIB:
            return
        if self.bounded:
            raise TooMuch(f"a file of {self._size_before} bytes would grow to {end}")
        raise HostError("write", self.path, errno.EFBIG, end)


def try_image(data: bytes) -> CheckReport | None:
    """Do all that can be done to *data* as an image; return what `check` says, None where it raised."""
    file = MeasuredFile(bytearray(data))
    report = _checked(file)
    _expect(file.content == data, "the checker wrote")
    sound = _is_sound(report, len(data))
    _tried(lambda: _read(file, sound))
    _expect(file.content == data, "reading wrote")
    file.bounded = sound
    _tried(lambda: _written(file, sound))
    return report


def _tried(work: Callable[[], None]) -> None:
    try:
        work()
    except BlockError as error:
        _expect("\n" not in str(error), f"more than one line: {error}")


def _expect(good: bool, otherwise: str) -> None:
    if not good:
        raise AssertionError(otherwise)


def _checked(file: MeasuredFile) -> CheckReport:
    file.allow()
    report = check(file)
    _expect(len(report.corruptions) + len(report.leaks) <= 3 * (64 * KIB), "too many findings")
    return report


def _is_sound(report: CheckReport, size: int) -> bool:
    """Whether all in the image can be trusted: it is clean, nothing was cut off, nothing is compressed.

    A table that the file's end cuts short reads as zeros to QEMU and its check; we refuse it (our choice).
    """
    header = report.header
    return report.verdict is Verdict.CLEAN and header is not None and size % header.geometry.cluster_size == 0


def _read(file: MeasuredFile, sound: bool) -> None:
    file.allow()
    image = Qcow2Image.open(file, writable=False)
    for offset in _places(image.size):
        file.allow()
        _tried(lambda offset=offset: _read_at(image, offset))  # type: ignore[misc]
    if sound and image.size <= READABLE:
        file.allow()
        _expect_whole(image)


def _expect_whole(image: Qcow2Image) -> None:
    try:
        image.read(0, image.size)
    except ImageError as error:  # no checker looks into compressed data
        _expect(error.structure == "compressed cluster", f"a clean image cannot be read: {error}")


def _places(size: int) -> tuple[int, ...]:
    return tuple(sorted({0, size // 2, max(0, size - PIECE)}))


def _read_at(image: Qcow2Image, offset: int) -> None:
    length = min(PIECE, image.size - offset)
    _expect(len(image.read(offset, length)) == length, f"{length} bytes at {offset} read as fewer or more")


def _written(file: MeasuredFile, sound: bool) -> None:
    before = bytes(file.content)
    file.allow()
    image = Qcow2Image.open(file, writable=True)
    try:
        for number, offset in enumerate(_places(image.size)):
            file.allow()
            length = min(PIECE, image.size - offset) - number
            if length > 0:
                image.write(offset + number, bytes([number + 1]) * length)
        file.allow()
        image.flush()
    except ImageError as error:
        _expect(not sound, f"a clean image cannot be written: {error}")
        raise
    if sound:
        _clean_still(file, before)


def _clean_still(file: MeasuredFile, before: bytes) -> None:
    """Check a clean image that was written to; what was counted beyond its end, say, is no fault of ours."""
    file.allow()
    after = check(file)
    leaked = {one.offset for one in check(BytesFile(bytearray(before.ljust(len(file.content), b"\0")))).leaks}
    header = after.header
    if header is not None and header.extension(BITMAPS_EXTENSION) is not None and not header.autoclear:
        leaked.update(one.offset for one in after.leaks)  # the bitmaps were given up by the write
    wrong = [
        str(one) for one in (*after.corruptions, *(one for one in after.leaks if one.offset not in leaked))
    ]
    _expect(not wrong and after.unsupported is None, f"a clean image is not clean any more: {wrong[:3]}")
