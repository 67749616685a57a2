"""What the guest writes: sectors that say of themselves who wrote them, where, and when.

Every sector of a write repeats (device, sector number, sequence number of the write), so the state of a
device can be read off its bytes, and a torn, misplaced or foreign sector is seen as such.
"""

import struct

from blockops.units import SECTOR

_MARK = struct.Struct("<IIQ")
_REPEAT = SECTOR // _MARK.size

INITIAL = 0
"""The state of a sector that holds what it held when the case began."""

STRANGE = -1
"""The state of a sector whose bytes neither the beginning nor any write of the guest explains."""


def content_of(device: int, first: int, count: int, sequence: int) -> bytes:
    """Return the data of write *sequence*: *count* sectors of *device* from sector *first*."""
    return b"".join(
        [_MARK.pack(device, number, sequence) * _REPEAT for number in range(first, first + count)]
    )


def states(device: int, data: bytes, initial: bytes) -> list[int]:
    """Return for each sector of *data* the sequence number that it carries, `INITIAL` or `STRANGE`."""
    return [
        INITIAL
        if (found := data[offset : offset + SECTOR]) == initial[offset : offset + SECTOR]
        else _sequence(device, offset // SECTOR, found)
        for offset in range(0, len(initial), SECTOR)
    ]


def _sequence(device: int, number: int, data: bytes) -> int:
    if len(data) < SECTOR:
        return STRANGE
    owner, where, sequence = _MARK.unpack_from(data)
    intact = owner == device and where == number and data == data[: _MARK.size] * _REPEAT
    return int(sequence) if intact else STRANGE
