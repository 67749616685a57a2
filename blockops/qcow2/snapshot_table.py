"""The table of internal snapshots as values: entries of no fixed length, one behind the other.

Specification: "Snapshots".  What a snapshot refers to is its L1 table; everything else about it is here.
"""

import struct
from collections.abc import Iterable
from typing import Final

import attrs

from blockops.errors import ImageError
from blockops.host.api import Readable, read_exactly
from blockops.qcow2.geometry import ENTRY_SIZE, MAX_L1_BYTES
from blockops.qcow2.header import Header, bytes_of, text_of
from blockops.units import HostOffset, round_up

STRUCTURE: Final = "snapshot table"
# QEMU's limits: what we write opens there.
MAX_SNAPSHOTS: Final = 65536
MAX_EXTRA: Final = 1024
MAX_TABLE_BYTES: Final = 64 * 1024 * 1024

# L1 offset and entries, lengths of id and name, seconds, nanoseconds, guest's clock, VM state, extra data.
_ENTRY: Final = struct.Struct(">QIHHIIQII")
_EXTRA: Final = struct.Struct(">QQ")


@attrs.frozen
class Snapshot:
    """One internal snapshot.

    *date_sec* and *date_nsec* say when it was taken, *vm_clock_nsec* how long the guest had run; *disk_size*
    and *vm_state_size* are bytes.  *further* is extra data that we do not know, kept as it is; *complete*:
    the entry has all that its version demands.
    """

    id: str
    name: str
    l1_offset: HostOffset
    l1_entries: int
    disk_size: int
    date_sec: int = 0
    date_nsec: int = 0
    vm_clock_nsec: int = 0
    vm_state_size: int = 0
    further: bytes = b""
    complete: bool = True


@attrs.frozen
class SnapshotTable:
    """The snapshots of an image in the order of the table, which is *length* bytes long."""

    snapshots: tuple[Snapshot, ...]
    length: int


def read_snapshots(file: Readable, header: Header) -> SnapshotTable:
    """Return the table that *header* names; raises `ImageError` where it cannot be."""
    found = []
    offset = int(header.snapshots_offset)
    if header.snapshots > MAX_SNAPSHOTS:
        problem = f"{header.snapshots} snapshots are more than {MAX_SNAPSHOTS}"
        raise ImageError(file.path, "header", 60, problem)
    for number in range(header.snapshots):
        offset = round_up(offset, ENTRY_SIZE)
        if offset - header.snapshots_offset > MAX_TABLE_BYTES:
            raise ImageError(
                file.path, STRUCTURE, offset, f"entry {number} lies beyond {MAX_TABLE_BYTES} bytes"
            )
        snapshot, offset = _read_one(file, header, number, offset)
        found.append(snapshot)
    return SnapshotTable(tuple(found), offset - header.snapshots_offset)


def _read_one(file: Readable, header: Header, number: int, offset: int) -> tuple[Snapshot, int]:
    fixed = _read(file, offset, _ENTRY.size, number)
    l1_offset, l1_entries, id_length, name_length, *times = _ENTRY.unpack(fixed)
    seconds, nanoseconds, clock, state, extra_length = times
    if extra_length > MAX_EXTRA:
        problem = f"entry {number} has {extra_length} bytes of extra data, more than {MAX_EXTRA}"
        raise ImageError(file.path, STRUCTURE, offset + 36, problem)
    rest = _read(file, offset + _ENTRY.size, extra_length + id_length + name_length, number)
    _check_l1(file.path, header, number, offset, l1_offset, l1_entries)
    known, names = rest[: _EXTRA.size], rest[extra_length:]
    disk_size = header.size
    if extra_length >= ENTRY_SIZE:
        state = int.from_bytes(known[:ENTRY_SIZE], "big")
    if extra_length >= _EXTRA.size:
        disk_size = int.from_bytes(known[ENTRY_SIZE:], "big")
    if header.geometry.l1_entries(disk_size) > l1_entries:
        problem = f"entry {number} has a disk of {disk_size} bytes, which its L1 table cannot map"
        raise ImageError(file.path, STRUCTURE, offset, problem)
    snapshot = Snapshot(
        text_of(names[:id_length]),
        text_of(names[id_length:]),
        HostOffset(l1_offset),
        l1_entries,
        disk_size,
        seconds,
        nanoseconds,
        clock,
        state,
        rest[_EXTRA.size : extra_length],
        extra_length >= _EXTRA.size or header.geometry.version < 3,
    )
    return snapshot, offset + _ENTRY.size + len(rest)


def _check_l1(path: str, header: Header, number: int, offset: int, l1_offset: int, l1_entries: int) -> None:
    if l1_offset & header.geometry.cluster_mask or (l1_entries and not l1_offset):
        raise ImageError(
            path, STRUCTURE, offset, f"the L1 table of entry {number} cannot be at {l1_offset:#x}"
        )
    if l1_entries * ENTRY_SIZE > MAX_L1_BYTES:
        problem = f"the L1 table of entry {number} cannot have {l1_entries} entries"
        raise ImageError(path, STRUCTURE, offset + 8, problem)


def _read(file: Readable, offset: int, length: int, number: int) -> bytes:
    data = read_exactly(file, offset, length) if length else b""
    if len(data) < length:
        raise ImageError(file.path, STRUCTURE, offset, f"the file ends within entry {number}")
    return data


def encode_snapshots(snapshots: Iterable[Snapshot]) -> bytes:
    """Return the table that `read_snapshots` reads."""
    return b"".join(map(_encode, snapshots))


def _encode(snapshot: Snapshot) -> bytes:
    name, identity = bytes_of(snapshot.name), bytes_of(snapshot.id)
    extra = _EXTRA.pack(snapshot.vm_state_size, snapshot.disk_size) + snapshot.further
    # The 32-bit field is ignored where the 64-bit one is present, as it is in all that we write.
    state = snapshot.vm_state_size if snapshot.vm_state_size < 1 << 32 else 0
    fixed = _ENTRY.pack(
        snapshot.l1_offset,
        snapshot.l1_entries,
        len(identity),
        len(name),
        snapshot.date_sec,
        snapshot.date_nsec,
        snapshot.vm_clock_nsec,
        state,
        len(extra),
    )
    data = fixed + extra + identity + name
    return data.ljust(round_up(len(data), ENTRY_SIZE), b"\0")
