"""What the guest writes: sectors that say of themselves who wrote them, where, and when.

Every sector of a write repeats (device, sector number, sequence number of the write), so what a device
shows can be read off its bytes, and a torn, misplaced or foreign sector is seen as such.  A write that
begins or ends inside a sector has its part of that pattern.  Sequence number 0 is the initial data.
"""

import struct

from blockops.units import SECTOR

_MARK = struct.Struct("<IIQ")
_REPEAT = SECTOR // _MARK.size


def content_of(device: int, first: int, count: int, sequence: int) -> bytes:
    """Return *count* sectors of *device* from sector *first*, all of write *sequence*."""
    return b"".join(
        [_MARK.pack(device, number, sequence) * _REPEAT for number in range(first, first + count)]
    )


def marked(device: int, start: int, length: int, sequence: int) -> bytes:
    """Return the data of write *sequence*: *length* bytes of *device* from byte *start*."""
    first, end = start // SECTOR, start + length
    data = content_of(device, first, -(-end // SECTOR) - first, sequence)
    return data if len(data) == length else data[start - first * SECTOR : end - first * SECTOR]
