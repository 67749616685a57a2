"""Table entries as values: one 64-bit number decodes into one of a few mappings, or is bad.

An L2 entry is `Unallocated`, `Zero`, `Data` or `Compressed`; an L1 entry names an L2 table or none; a
refcount table entry names a refcount block or none.  Tables are arrays of numbers in the machine's own
byte order; `decode_table` and `encode_table` stand between them and the big-endian file.
"""

import sys
from array import array

import attrs

from blockops.qcow2.geometry import Geometry
from blockops.units import SECTOR, HostOffset

COPIED = 1 << 63
COMPRESSED = 1 << 62
ZERO = 1
OFFSET_MASK = (1 << 56) - SECTOR
ALL_BITS = (1 << 64) - 1
# The lower half of a subcluster bitmap; the upper half says which of them read as zeros.
ALLOCATED = (1 << 32) - 1

_L1_RESERVED = ALL_BITS & ~(COPIED | OFFSET_MASK)
_L2_RESERVED = ALL_BITS & ~(COPIED | COMPRESSED | ZERO | OFFSET_MASK)
_REFCOUNT_TABLE_RESERVED = SECTOR - 1
_LITTLE_ENDIAN = sys.byteorder == "little"
_ITEM_CODES = {3: "B", 4: "H", 5: "I", 6: "Q"}


class BadEntry(ValueError):
    """A table entry that the format does not allow; the text says what is wrong and gives its value."""


@attrs.frozen
class Unallocated:
    """The cluster reads from the backing, or as zeros."""


@attrs.frozen
class Zero:
    """The cluster reads as zeros; a host cluster may be reserved for it."""

    host: HostOffset | None
    copied: bool


@attrs.frozen
class Data:
    """The cluster is at *host*; *copied* says that nothing else refers to that host cluster."""

    host: HostOffset
    copied: bool


@attrs.frozen
class Compressed:
    """The cluster is compressed in at most *length* bytes from *host*, which no alignment binds."""

    host: HostOffset
    length: int


Mapping = Unallocated | Zero | Data | Compressed

UNALLOCATED = Unallocated()


@attrs.frozen
class TablePointer:
    """An L1 entry: the L2 table at *host*; *copied* says that nothing else refers to it."""

    host: HostOffset
    copied: bool


def decode_l2(entry: int, geometry: Geometry) -> Mapping:
    """Return what a standard L2 entry says; raises `BadEntry` (spec: "L2 table entry")."""
    if entry == 0:
        return UNALLOCATED
    if entry & COMPRESSED:
        return _decode_compressed(entry, geometry)
    if entry & _L2_RESERVED:
        raise BadEntry(f"reserved bits are set in {entry:#018x}")
    offset = _aligned(entry, entry & OFFSET_MASK, geometry)
    if entry & ZERO:
        return _decode_zero(entry, offset, geometry)
    if offset == 0:
        raise BadEntry(f"cluster offset is 0 in {entry:#018x}, which only external data files have")
    return Data(offset, bool(entry & COPIED))


def check_subclusters(entry: int, bitmap: int, geometry: Geometry) -> None:
    """Raise `BadEntry` where the second word of an extended L2 entry contradicts the first or itself.

    Specification: "Subcluster Allocation Bitmap".
    """
    if entry & COMPRESSED:
        good = bitmap == 0
    else:
        placed = bool(entry & (OFFSET_MASK | COPIED))
        good = not bitmap & bitmap >> 32 and (placed or not bitmap & ALLOCATED)
    if not good:
        raise BadEntry(f"{entry:#018x} cannot have the subcluster bitmap {bitmap:#018x}")


def _decode_zero(entry: int, offset: HostOffset, geometry: Geometry) -> Mapping:
    if geometry.extended_l2:
        raise BadEntry(f"the zero flag is set in {entry:#018x}, which extended entries do not have")
    if geometry.version < 3:
        raise BadEntry(f"the zero flag is set in {entry:#018x}, which version 2 does not have")
    return Zero(offset or None, bool(entry & COPIED))


def _decode_compressed(entry: int, geometry: Geometry) -> Mapping:
    """Spec: "Compressed Clusters Descriptor"; the lowest bits are the offset, the rest counts sectors."""
    if entry & COPIED:
        raise BadEntry(f"a compressed cluster has the copied flag in {entry:#018x}")
    offset_bits = 62 - (geometry.cluster_bits - 8)
    offset = entry & ((1 << offset_bits) - 1)
    if offset >> 56:
        raise BadEntry(f"compressed data offset exceeds 56 bits in {entry:#018x}")
    sectors = (entry & ~COMPRESSED) >> offset_bits
    return Compressed(HostOffset(offset), (sectors + 1) * SECTOR - offset % SECTOR)


def encode_l2(mapping: Mapping, geometry: Geometry) -> int:
    """Return the L2 entry that `decode_l2` decodes into *mapping*."""
    match mapping:
        case Unallocated():
            return 0
        case Zero(host, copied):
            return ZERO | (host or 0) | (COPIED if copied else 0)
        case Data(host, copied):
            return host | (COPIED if copied else 0)
        case Compressed(host, length):
            sectors = (host % SECTOR + length - 1) // SECTOR
            return COMPRESSED | sectors << (62 - (geometry.cluster_bits - 8)) | host


def decode_l1(entry: int, geometry: Geometry) -> TablePointer | None:
    """Return the L2 table that an L1 entry names, or None; raises `BadEntry` (spec: "L1 table entry")."""
    if entry == 0:
        return None
    if entry & _L1_RESERVED:
        raise BadEntry(f"reserved bits are set in {entry:#018x}")
    offset = _aligned(entry, entry & OFFSET_MASK, geometry)
    return TablePointer(offset, bool(entry & COPIED)) if offset else None


def decode_refcount_pointer(entry: int, geometry: Geometry) -> HostOffset | None:
    """Return where a refcount block is, or None; raises `BadEntry` (spec: "Refcount table entry")."""
    if entry & _REFCOUNT_TABLE_RESERVED:
        raise BadEntry(f"reserved bits are set in {entry:#018x}")
    return _aligned(entry, entry, geometry) or None


def _aligned(entry: int, offset: int, geometry: Geometry) -> HostOffset:
    if offset & geometry.cluster_mask:
        raise BadEntry(f"offset {offset:#x} is not aligned to a cluster in {entry:#018x}")
    return HostOffset(offset)


def decode_table(data: bytes) -> "array[int]":
    """Return the 64-bit entries of an L1, L2 or refcount table."""
    return _decode_items("Q", data)


def encode_table(entries: "array[int]") -> bytes:
    """Return the bytes of a table, big-endian as in the file."""
    return _encode_items(entries)


def decode_refcounts(data: bytes, order: int) -> "array[int]":
    """Return the reference counts of a block, each 2***order* bits wide (spec: "Refcount block entry")."""
    if order >= 3:
        return _decode_items(_ITEM_CODES[order], data)
    width = 1 << order
    per_byte = 8 // width
    counts = bytearray(len(data) * per_byte)
    for place in range(per_byte):
        counts[place::per_byte] = data.translate(_field_of_byte(place * width, width))
    return array("B", bytes(counts))


def ones(count: int, order: int) -> "array[int]":
    """Return *count* reference counts of 1, each 2***order* bits wide; those narrower than a byte fill it."""
    counts = array(_ITEM_CODES.get(order, "B"), [1]) * count
    if order < 3:
        counts.extend(bytes(-count % 8))
    return counts


def encode_refcounts(counts: "array[int]", order: int) -> bytes:
    """Return the bytes of counts that `decode_refcounts` decodes; each must fit its width."""
    if order >= 3:
        return _encode_items(counts)
    width = 1 << order
    per_byte = 8 // width
    raw = counts.tobytes()
    # Every count is below 2**width, so shifting all of them at once never crosses into the next byte.
    packed = 0
    for place in range(per_byte):
        packed |= int.from_bytes(raw[place::per_byte], "big") << (place * width)
    return packed.to_bytes(len(raw) // per_byte, "big")


def _field_of_byte(shift: int, width: int) -> bytes:
    return bytes((byte >> shift) & ((1 << width) - 1) for byte in range(256))


def _decode_items(code: str, data: bytes) -> "array[int]":
    items = array(code, data)
    if _LITTLE_ENDIAN:
        items.byteswap()
    return items


def _encode_items(items: "array[int]") -> bytes:
    swapped = items[:]
    if _LITTLE_ENDIAN:
        swapped.byteswap()
    return swapped.tobytes()
