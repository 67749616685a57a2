"""What a qcow2 image lists by name: internal snapshots and persistent bitmaps.

Both tables are read entry by entry within the file, so that a number in the image costs nothing that the
file does not pay for (specification: "Snapshots", "Bitmap directory").
"""

import struct
from collections.abc import Iterator
from typing import Any, Final

import attrs

from blockops.errors import ImageError
from blockops.host.api import HostFile, read_exactly
from blockops.qcow2.geometry import ENTRY_SIZE
from blockops.qcow2.header import Header
from blockops.units import round_up

BITMAPS_EXTENSION: Final = 0x23852875
BITMAPS_CONSISTENT: Final = 1 << 0
NANOSECONDS: Final = 1_000_000_000
_NO_ICOUNT: Final = (1 << 64) - 1

# L1 offset and entries, lengths of id and name, seconds and nanoseconds, VM clock and state, extra data.
_SNAPSHOT: Final = struct.Struct(">QIHHIIQII")
_MOST_EXTRA: Final = 1024
# Number of bitmaps, reserved, size and offset of the directory.
_BITMAPS: Final = struct.Struct(">IIQQ")
# Offset and entries of the table, flags, type, granularity, lengths of name and extra data.
_BITMAP: Final = struct.Struct(">QIIBBHI")
_LARGEST_DIRECTORY: Final = 64 * 1024 * 1024
_BITMAP_FLAGS: Final = ((1, "in-use"), (2, "auto"))


@attrs.frozen
class Snapshot:
    """An internal snapshot; *vm_clock* in nanoseconds, *icount* where the machine counted instructions."""

    id: str
    name: str
    vm_state_size: int
    date: int
    date_nanoseconds: int
    vm_clock: int
    icount: int | None

    def as_json(self) -> dict[str, Any]:
        """Return the keys and values that qemu-img prints."""
        counted = {} if self.icount is None else {"icount": self.icount}
        return {
            "id": self.id,
            "name": self.name,
            "vm-state-size": self.vm_state_size,
            "date-sec": self.date,
            "date-nsec": self.date_nanoseconds,
            "vm-clock-sec": self.vm_clock // NANOSECONDS,
            "vm-clock-nsec": self.vm_clock % NANOSECONDS,
            **counted,
        }


@attrs.frozen
class Bitmap:
    """A persistent dirty bitmap; a bit stands for *granularity* bytes."""

    name: str
    granularity: int
    flags: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the keys and values that qemu-img prints."""
        return {"flags": list(self.flags), "name": self.name, "granularity": self.granularity}


def snapshots(file: HostFile, header: Header) -> tuple[Snapshot, ...]:
    """Return the internal snapshots of an image, in the order of its table; raises `ImageError`."""
    return tuple(_snapshots(file, header)) if header.snapshots else ()


def _snapshots(file: HostFile, header: Header) -> Iterator[Snapshot]:
    offset = int(header.snapshots_offset)
    for number in range(header.snapshots):
        offset = round_up(offset, ENTRY_SIZE)
        fields = _SNAPSHOT.unpack(_whole(file, "snapshot table", offset, _SNAPSHOT.size))
        id_length, name_length, extra_length = fields[2], fields[3], fields[8]
        if extra_length > _MOST_EXTRA:
            problem = f"extra data of entry {number} cannot be {extra_length} bytes"
            raise ImageError(file.path, "snapshot table", offset, problem)
        length = extra_length + id_length + name_length
        rest = _whole(file, "snapshot table", offset + _SNAPSHOT.size, length)
        yield _snapshot(fields, rest[:extra_length], rest[extra_length:])
        offset += _SNAPSHOT.size + length


def _snapshot(fields: tuple[int, ...], extra: bytes, names: bytes) -> Snapshot:
    id_length, _, seconds, nanoseconds, clock, state = fields[2:8]
    if len(extra) >= 8:
        state = int.from_bytes(extra[:8], "big")
    icount = int.from_bytes(extra[16:24], "big") if len(extra) >= 24 else _NO_ICOUNT
    return Snapshot(
        id=_text(names[:id_length]),
        name=_text(names[id_length:]),
        vm_state_size=state,
        date=seconds,
        date_nanoseconds=nanoseconds,
        vm_clock=clock,
        icount=None if icount == _NO_ICOUNT else icount,
    )


def bitmaps(file: HostFile, header: Header) -> tuple[Bitmap, ...]:
    """Return the persistent bitmaps of an image that still count; raises `ImageError`."""
    extension = header.extension(BITMAPS_EXTENSION)
    if extension is None or not header.autoclear & BITMAPS_CONSISTENT:
        return ()
    if len(extension) != _BITMAPS.size:
        problem = f"its length cannot be {len(extension)}"
        raise ImageError(file.path, "bitmaps extension", None, problem)
    count, _, size, offset = _BITMAPS.unpack(extension)
    if size > _LARGEST_DIRECTORY:
        raise ImageError(file.path, "bitmap directory", offset, f"its size cannot be {size}")
    return tuple(_bitmaps(_whole(file, "bitmap directory", offset, size), count, file.path, offset))


def _bitmaps(directory: bytes, count: int, path: str, offset: int) -> Iterator[Bitmap]:
    start = 0
    for number in range(count):
        if start + _BITMAP.size > len(directory):
            raise ImageError(path, "bitmap directory", offset, f"it ends before bitmap {number}")
        _, _, flags, _, granularity, name_length, extra = _BITMAP.unpack_from(directory, start)
        if not 9 <= granularity <= 31:
            problem = f"granularity of bitmap {number} cannot be {granularity}"
            raise ImageError(path, "bitmap directory", offset + start, problem)
        names = start + _BITMAP.size + extra
        yield Bitmap(
            name=_text(directory[names : names + name_length]),
            granularity=1 << granularity,
            flags=tuple(name for bit, name in _BITMAP_FLAGS if flags & bit),
        )
        start = round_up(names + name_length, ENTRY_SIZE)


def _whole(file: HostFile, structure: str, offset: int, length: int) -> bytes:
    """Read *length* bytes of a structure; raise `ImageError` where the file ends before."""
    room = file.size() - offset
    if length > room:
        raise ImageError(file.path, structure, offset, f"{length} bytes of it are not in the file")
    return read_exactly(file, offset, length)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
