"""The directory of persistent bitmaps as values: which there are, and where their tables lie.

Specification: "Bitmaps extension", "Bitmap directory".  What a bitmap says we do not read: whoever writes
to an image with bitmaps clears their autoclear bit, and then they no longer count.
"""

import struct
from collections.abc import Iterator
from typing import Final

import attrs

from blockops.errors import ImageError
from blockops.host.api import Readable, read_exactly
from blockops.qcow2.geometry import ENTRY_SIZE
from blockops.qcow2.header import Header, text_of
from blockops.units import HostOffset, round_up

BITMAPS_EXTENSION: Final = 0x23852875
CONSISTENT: Final = 1 << 0
STRUCTURE: Final = "bitmap directory"
# QEMU's limits.
MAX_BITMAPS: Final = 65535
MAX_DIRECTORY_BYTES: Final = MAX_BITMAPS * (24 + 1024)

IN_USE: Final = 1 << 0
AUTO: Final = 1 << 1
EXTRA_DATA_COMPATIBLE: Final = 1 << 2

# Number of bitmaps, reserved, size and offset of the directory.
_EXTENSION: Final = struct.Struct(">IIQQ")
# Offset and entries of the table, flags, type, granularity, lengths of name and extra data.
_ENTRY: Final = struct.Struct(">QIIBBHI")
_DIRTY_TRACKING: Final = 1
_PIECE: Final = 65536


@attrs.frozen
class Bitmap:
    """One persistent bitmap: each bit stands for *granularity* bytes of the disk.

    *in_use*: it was not saved when its writer ended; *auto*: every write is to be tracked in it.
    """

    name: str
    granularity: int
    flags: int
    table_offset: HostOffset
    table_entries: int

    @property
    def in_use(self) -> bool:
        """Whether the bitmap may be inconsistent."""
        return bool(self.flags & IN_USE)

    @property
    def auto(self) -> bool:
        """Whether the bitmap is enabled."""
        return bool(self.flags & AUTO)


@attrs.frozen
class Directory:
    """Where the directory is, its length in bytes, and the bitmaps in it."""

    offset: HostOffset
    size: int
    bitmaps: tuple[Bitmap, ...]


def read_bitmaps(file: Readable, header: Header) -> Directory | None:
    """Return the bitmaps that count, None where there are none; raises `ImageError` for what cannot be."""
    extension = header.extension(BITMAPS_EXTENSION)
    if extension is None or not header.autoclear & CONSISTENT:
        return None
    if len(extension) != _EXTENSION.size:
        raise ImageError(file.path, "bitmaps extension", None, f"its length cannot be {len(extension)}")
    count, _, size, offset = _EXTENSION.unpack(extension)
    if not 0 < count <= MAX_BITMAPS:
        raise ImageError(file.path, "bitmaps extension", None, f"there cannot be {count} bitmaps")
    if size > MAX_DIRECTORY_BYTES or not offset or offset & header.geometry.cluster_mask:
        raise ImageError(file.path, STRUCTURE, offset, f"it cannot have {size} bytes there")
    data = _read(file, offset, size)
    if len(data) < size:
        raise ImageError(file.path, STRUCTURE, offset, f"the file ends within its {size} bytes")
    return Directory(HostOffset(offset), size, tuple(_entries(file.path, offset, data, count)))


def _read(file: Readable, offset: int, size: int) -> bytes:
    """Return what the file has of *size* bytes, in pieces: the size is only a claim."""
    parts, done = [], 0
    while done < size and (part := read_exactly(file, offset + done, min(size - done, _PIECE))):
        parts.append(part)
        done += len(part)
    return b"".join(parts)


def _entries(path: str, offset: int, data: bytes, count: int) -> Iterator[Bitmap]:
    start = 0
    for number in range(count):
        if start + _ENTRY.size > len(data):
            raise ImageError(path, STRUCTURE, offset + start, f"it ends before bitmap {number}")
        table, entries, flags, kind, bits, name_length, extra = _ENTRY.unpack_from(data, start)
        name_at = start + _ENTRY.size + extra
        if name_at + name_length > len(data):
            raise ImageError(path, STRUCTURE, offset + start, f"it ends within bitmap {number}")
        if kind != _DIRTY_TRACKING or bits > 63 or not name_length:
            problem = (
                f"bitmap {number} cannot have type {kind}, granularity bits {bits}, {name_length} name bytes"
            )
            raise ImageError(path, STRUCTURE, offset + start, problem)
        name = text_of(data[name_at : name_at + name_length])
        yield Bitmap(name, 1 << bits, flags, HostOffset(table), entries)
        start = round_up(name_at + name_length, ENTRY_SIZE)
