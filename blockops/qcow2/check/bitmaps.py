"""Persistent bitmaps: a directory of entries, each with a table that names the clusters of its bits.

Specification: "Bitmaps extension", "Bitmap directory", "Bitmap table".  Where the autoclear feature bit
is clear, somebody who does not know bitmaps wrote to the image: they no longer count, all is leaked.
"""

import struct
from typing import Final

from blockops.qcow2.check.ledger import Ledger
from blockops.qcow2.check.report import Findings
from blockops.qcow2.check.tables import Reader, live
from blockops.qcow2.entries import ALL_BITS, OFFSET_MASK
from blockops.qcow2.geometry import ENTRY_SIZE, Geometry
from blockops.qcow2.header import Header
from blockops.units import round_up

_EXTENSION_TYPE: Final = 0x23852875
_CONSISTENT: Final = 1 << 0
_DIRTY_TRACKING: Final = 1

# Number of bitmaps, reserved, size and offset of the directory.
_EXTENSION: Final = struct.Struct(">IIQQ")
# Offset and entries of the table, flags, type, (granularity), lengths of name and extra data.
_ENTRY: Final = struct.Struct(">QIIBxHI")
_KNOWN_FLAGS: Final = 0b111
_ALL_ONES: Final = 1
_RESERVED: Final = ALL_BITS & ~(OFFSET_MASK | _ALL_ONES)

_BEYOND: Final = "it is beyond the end of the file"


def count_bitmaps(header: Header, reader: Reader, ledger: Ledger, findings: Findings) -> None:
    """Count the references to the bitmap directory, the bitmaps' tables and their clusters."""
    extension = header.extension(_EXTENSION_TYPE)
    if extension is None or not header.autoclear & _CONSISTENT:
        return
    if len(extension) != _EXTENSION.size:
        findings.add("bitmaps extension", None, len(extension), "it has the wrong length")
        return
    bitmaps, _, size, offset = _EXTENSION.unpack(extension)
    if offset & header.geometry.cluster_mask or not ledger.own("bitmap directory", offset, size):
        findings.add("bitmap directory", offset, None, "it is not aligned, or beyond the end of the file")
        return
    _Bitmaps(header.geometry, reader, ledger, findings).count(bitmaps, offset, reader.read(offset, size))


class _Bitmaps:
    """Walks a bitmap directory."""

    def __init__(self, shape: Geometry, reader: Reader, ledger: Ledger, findings: Findings) -> None:
        self._shape = shape
        self._reader = reader
        self._ledger = ledger
        self._findings = findings

    def count(self, bitmaps: int, offset: int, directory: bytes) -> None:
        """Count what each entry of the directory refers to."""
        start = 0
        for number in range(bitmaps):
            if start + _ENTRY.size > len(directory):
                self._findings.add("bitmap directory", offset, None, f"it ends before bitmap {number}")
                return
            table, entries, flags, kind, name, extra = _ENTRY.unpack_from(directory, start)
            if flags & ~_KNOWN_FLAGS or kind != _DIRTY_TRACKING or not name:
                where = offset + start
                self._findings.add(f"bitmap {number}", where, None, "its flags, type or name cannot be")
            self._count_table(f"table of bitmap {number}", table, entries)
            start += round_up(_ENTRY.size + name + extra, ENTRY_SIZE)
        if start != len(directory):
            self._findings.add("bitmap directory", offset, len(directory), "it is longer than its entries")

    def _count_table(self, name: str, offset: int, count: int) -> None:
        if offset & self._shape.cluster_mask:
            self._findings.add(name, offset, None, "it is not aligned to a cluster")
            return
        data = self._reader.read(offset, count * ENTRY_SIZE)
        if count and not self._ledger.own(name, offset, count * ENTRY_SIZE):
            self._findings.add(name, offset, None, _BEYOND)
        for index, entry in live(data):
            if problem := self._flaw(entry):
                where = offset + ENTRY_SIZE * index
                self._findings.add(f"{name}, entry {index}", where, entry, problem)

    def _flaw(self, entry: int) -> str | None:
        """Count the cluster that an entry names; return what is wrong with the entry."""
        offset = entry & OFFSET_MASK
        if entry & _RESERVED or (offset and entry & _ALL_ONES):
            return "reserved bits are set"
        if offset & self._shape.cluster_mask:
            return "it is not aligned to a cluster"
        if offset and not self._ledger.own("bitmap data", offset, self._shape.cluster_size):
            return _BEYOND
        return None
