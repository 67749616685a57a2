"""Images drawn by hand, byte by byte from the specification, and a file that can only be read.

Nothing here uses the code under test.  A drawn image has a header, a refcount table with one block, an
L1 table, one L2 table and three data clusters, one cluster each and in this order, and a spare cluster.
With a snapshot follow its table, L1 table, L2 table and one data cluster; with a bitmap its directory,
table and one cluster of bits.
"""

import struct

import attrs

from blockops.errors import HostError
from blockops.host.api import LockMode

COPIED = 1 << 63
COMPRESSED = 1 << 62

HEADER, TABLE, BLOCK, L1, L2, DATA, SPARE = 0, 1, 2, 3, 4, 5, 8
CLUSTERS = 9
SNAPSHOTS, SNAPSHOT_L1, SNAPSHOT_L2, SNAPSHOT_DATA = 9, 10, 11, 12
DIRECTORY, BITMAP_TABLE, BITMAP = 9, 10, 11


@attrs.define(eq=False)
class StillFile:
    """A host file with this content that refuses every change; it reads at most *longest* bytes at once."""

    content: bytes
    longest: int = 1 << 62
    failing: int | None = None
    apparent_size: int | None = None
    bytes_read: int = 0
    path: str = "/vm/drawn.qcow2"
    writable: bool = False

    def read(self, offset: int, length: int) -> bytes:
        assert offset >= 0
        assert length >= 0
        if self.failing is not None and offset <= self.failing < offset + length:
            raise HostError("read", self.path, 5, offset)
        length = max(0, min(length, self.longest, self.size() - offset))
        self.bytes_read += length
        return self.content[offset : offset + length].ljust(length, b"\0")

    def size(self) -> int:
        return len(self.content) if self.apparent_size is None else self.apparent_size

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> int:
        raise AssertionError(f"the checker writes {len(data)} bytes at {offset}")

    def truncate(self, size: int) -> None:
        raise AssertionError(f"the checker truncates to {size}")

    def flush(self) -> None:
        raise AssertionError("the checker flushes")

    def lock(self, mode: LockMode) -> None:
        raise AssertionError(f"the checker locks {mode}")

    def close(self) -> None:
        raise AssertionError("the checker closes a file that it did not open")


@attrs.frozen
class Shape:
    """What kind of image to draw."""

    cluster_bits: int = 9
    version: int = 3
    refcount_order: int = 4

    @property
    def cluster_size(self) -> int:
        return 1 << self.cluster_bits

    def at(self, cluster: int, entry: int = 0) -> int:
        """Return the offset of an 8-byte entry in a cluster."""
        return (cluster << self.cluster_bits) + 8 * entry


def draw(shape: Shape) -> bytearray:
    """Return a clean image."""
    image = bytearray(CLUSTERS << shape.cluster_bits)
    image[: 104 if shape.version == 3 else 72] = _header(shape)
    _put(image, shape.at(TABLE), shape.at(BLOCK))
    for cluster in range(SPARE):
        set_refcount(image, shape, cluster, 1)
    _put(image, shape.at(L1), COPIED | shape.at(L2))
    for number in range(SPARE - DATA):
        _put(image, shape.at(L2, number), COPIED | shape.at(DATA + number))
        start = shape.at(DATA + number)
        image[start : start + shape.cluster_size] = bytes([number + 1]) * shape.cluster_size
    return image


def _header(shape: Shape) -> bytes:
    table, l1 = shape.at(TABLE), shape.at(L1)
    size = 4 << (2 * shape.cluster_bits - 3)
    fields = struct.pack(
        ">4sIQIIQIIQQIIQ", b"QFI\xfb", shape.version, 0, 0, shape.cluster_bits, size, 0, 4, l1, table, 1, 0, 0
    )
    return fields + (struct.pack(">QQQII", 0, 0, 0, shape.refcount_order, 104) if shape.version == 3 else b"")


def _put(image: bytearray, offset: int, value: int, size: int = 8) -> None:
    image[offset : offset + size] = value.to_bytes(size, "big")


def set_refcount(image: bytearray, shape: Shape, cluster: int, count: int) -> None:
    """Store a refcount; narrower than a byte, the lowest bits belong to the first cluster."""
    width, start = 1 << shape.refcount_order, shape.at(BLOCK)
    if width >= 8:
        _put(image, start + cluster * width // 8, count, width // 8)
        return
    byte, shift = divmod(cluster * width, 8)
    kept = image[start + byte] & ~(((1 << width) - 1) << shift)
    image[start + byte] = kept | count << shift


def draw_with_snapshot(shape: Shape) -> bytearray:
    """Return a clean image with an internal snapshot that shares nothing with the active tables."""
    image = draw(shape)
    _append(image, shape, 4)
    _put(image, 60, 1, 4)
    _put(image, 64, shape.at(SNAPSHOTS))
    extra = 16 if shape.version == 3 else 0
    entry = struct.pack(">QIHHIIQII", shape.at(SNAPSHOT_L1), 4, 1, 1, 0, 0, 0, 0, extra)
    entry += struct.pack(">QQ", 0, 4 << (2 * shape.cluster_bits - 3))[:extra] + b"1a"
    image[shape.at(SNAPSHOTS) : shape.at(SNAPSHOTS) + len(entry)] = entry
    _put(image, shape.at(SNAPSHOT_L1), COPIED | shape.at(SNAPSHOT_L2))
    _put(image, shape.at(SNAPSHOT_L2), COPIED | shape.at(SNAPSHOT_DATA))
    return image


def draw_with_bitmap(shape: Shape) -> bytearray:
    """Return a clean image with a persistent bitmap whose bits fill one cluster."""
    image = draw(shape)
    _append(image, shape, 3)
    _put(image, 88, 1)
    image[104:144] = struct.pack(">IIIIQQQ", 0x23852875, 24, 1, 0, 32, shape.at(DIRECTORY), 0)
    entry = struct.pack(">QIIBBHI", shape.at(BITMAP_TABLE), 1, 2, 1, 16, 1, 0) + b"b"
    image[shape.at(DIRECTORY) : shape.at(DIRECTORY) + len(entry)] = entry
    _put(image, shape.at(BITMAP_TABLE), shape.at(BITMAP))
    return image


def _append(image: bytearray, shape: Shape, clusters: int) -> None:
    image += bytes(clusters << shape.cluster_bits)
    for cluster in range(CLUSTERS, CLUSTERS + clusters):
        set_refcount(image, shape, cluster, 1)


@attrs.frozen
class Patch:
    """Bytes written over a drawn image: *value*, big-endian in *size* bytes, at *offset*."""

    offset: int
    value: int
    size: int = 8

    def apply(self, image: bytearray) -> None:
        _put(image, self.offset, self.value, self.size)


def patched(shape: Shape, *patches: Patch) -> bytes:
    """Return a drawn image with patches."""
    image = draw(shape)
    for patch in patches:
        patch.apply(image)
    return bytes(image)
