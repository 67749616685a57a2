"""Reading an image's tables with a bound: no image, however hostile, costs more than its file's size.

In a sound image every byte of the file belongs to at most one table and every table is read once, so
all reads together stay below the file's size.  Twice that is the allowance; who exceeds it has tables
on top of each other, and the check ends.  Bytes beyond the end of the file read as nothing.
"""

from array import array
from collections.abc import Iterator
from typing import Final

from blockops.host.api import HostFile, read_exactly
from blockops.qcow2.check.report import Findings
from blockops.qcow2.entries import decode_table
from blockops.qcow2.geometry import ENTRY_SIZE

# Tables are mostly zero: pages, then their stretches, are compared with zeros before any entry is looked at.
_PAGE: Final = 4096
_EMPTY_PAGE: Final = bytes(_PAGE)
_STRETCH: Final = 512
_EMPTY_STRETCH: Final = bytes(_STRETCH)


class Reader:
    """Reads an open image within the allowance."""

    __slots__ = ("_allowance", "_file", "_findings", "path", "size")

    def __init__(self, file: HostFile, findings: Findings) -> None:
        self._file = file
        self._findings = findings
        self.path = file.path
        self.size = file.size()
        self._allowance = 2 * self.size

    def read(self, offset: int, length: int) -> bytes:
        """Return what the file has of *length* bytes from *offset*; `Enough` beyond the allowance."""
        length = min(length, self.size - offset)
        if length <= 0:
            return b""
        self._allowance -= length
        if self._allowance < 0:
            self._findings.stop("its tables lie on top of each other: together they exceed the file twice")
        return read_exactly(self._file, offset, length)


def stretches(data: bytes) -> "Iterator[tuple[int, array[int]]]":
    """Return the parts of a table of 8-byte entries that are not all zero, each with its first index."""
    whole = len(data) // ENTRY_SIZE * ENTRY_SIZE
    for page in range(0, whole, _PAGE):
        end = min(page + _PAGE, whole)
        if data[page:end] != _EMPTY_PAGE:
            for start in range(page, end, _STRETCH):
                part = data[start : min(start + _STRETCH, end)]
                if part != _EMPTY_STRETCH:
                    yield start // ENTRY_SIZE, decode_table(part)


def live(data: bytes) -> Iterator[tuple[int, int]]:
    """Return index and value of each 8-byte entry of a table that is not zero."""
    for first, part in stretches(data):
        for index, entry in enumerate(part, first):
            if entry:
                yield index, entry
