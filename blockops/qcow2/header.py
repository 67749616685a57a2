"""The header: its fields, its extensions, and the features that it announces.

`read_header` checks every field against the format and the file's real size, so that no claimed number
ever decides how much memory is used.  It does not judge features: the module `features` does (spec:
"Header", "Header extensions").
"""

import struct
from functools import lru_cache

import attrs

from blockops.errors import ImageError, InvalidRequest, UnsupportedFeature
from blockops.host.api import HostFile, read_exactly
from blockops.qcow2.geometry import (
    ENTRY_SIZE,
    MAX_CLUSTER_BITS,
    MAX_L1_BYTES,
    MAX_REFCOUNT_ORDER,
    MAX_REFCOUNT_TABLE_BYTES,
    MIN_CLUSTER_BITS,
    Geometry,
    geometry,
)
from blockops.units import HostOffset, round_up

MAGIC = b"QFI\xfb"
V2_LENGTH = 72
V3_LENGTH = 104
MAX_BACKING_NAME = 1023

DIRTY = 1 << 0
CORRUPT = 1 << 1
DATA_FILE = 1 << 2
COMPRESSION_TYPE = 1 << 3
EXTENDED_L2 = 1 << 4

LAZY_REFCOUNTS = 1 << 0

END_OF_EXTENSIONS = 0
BACKING_FORMAT = 0xE2792ACA
FEATURE_NAMES = 0x6803F857
DATA_FILE_NAME = 0x44415441

NOWHERE = HostOffset(0)

_V2 = struct.Struct(">4sIQIIQIIQQIIQ")
_V3 = struct.Struct(">QQQII")
_EXTENSION = struct.Struct(">II")
_SNAPSHOT_MINIMUM = 40
# One read of this size fetches the whole header of every image that tools write.
_FIRST_READ = 4096


@attrs.frozen
class Extension:
    """A header extension: its type and its bytes, kept as they are whether we know them or not."""

    kind: int
    data: bytes


@attrs.frozen
class Header:
    """Everything that the first cluster says; offsets and sizes in bytes."""

    geometry: Geometry
    size: int
    l1_offset: HostOffset
    l1_entries: int
    refcount_table_offset: HostOffset
    refcount_table_clusters: int
    snapshots: int = 0
    snapshots_offset: HostOffset = NOWHERE
    crypt_method: int = 0
    incompatible: int = 0
    compatible: int = 0
    autoclear: int = 0
    additional: bytes = b""
    extensions: tuple[Extension, ...] = ()
    backing_file: str | None = None
    backing_offset: int = 0

    @property
    def backing_format(self) -> str | None:
        """The format that the header names for the backing file, if any."""
        data = self.extension(BACKING_FORMAT)
        return None if data is None else text_of(data)

    @property
    def data_file(self) -> str | None:
        """The name of the external data file that the header gives, if any."""
        data = self.extension(DATA_FILE_NAME)
        return None if data is None else text_of(data)

    @property
    def length(self) -> int:
        """The length of the fixed fields in bytes, where the extensions start."""
        return V2_LENGTH if self.geometry.version == 2 else V3_LENGTH + len(self.additional)

    @property
    def compression_type(self) -> int:
        """The compression method: 0 zlib, 1 zstd."""
        return self.additional[0] if self.additional else 0

    def extension(self, kind: int) -> bytes | None:
        """Return the data of the first extension of this type, if any."""
        return next((one.data for one in self.extensions if one.kind == kind), None)


# ------------------------------------------------------------------------------------------- decoding


def read_header(file: HostFile) -> Header:
    """Read and check the header of *file*; raises `ImageError`, or `UnsupportedFeature` for its version."""
    file_size = file.size()
    data = read_exactly(file, 0, min(_FIRST_READ, file_size))
    return _decoded(file.path, data, file_size) or _read_long_header(file, data, file_size)


@lru_cache(maxsize=64)
def _decoded(path: str, data: bytes, file_size: int) -> Header | None:
    """Decode a header, None where it needs more than *data*; those met lately are remembered."""
    decoder = _Decoder(path, data, file_size)
    return None if decoder.needed() > len(data) else decoder.decode()


def _read_long_header(file: HostFile, data: bytes, file_size: int) -> Header:
    needed = _Decoder(file.path, data, file_size).needed()
    return _Decoder(file.path, read_exactly(file, 0, min(needed, file_size)), file_size).decode()


class _Decoder:
    """One header on its way from bytes to a value."""

    def __init__(self, path: str, data: bytes, file_size: int) -> None:
        self._path = path
        self._data = data
        self._file_size = file_size
        self._check_start()
        fields: tuple[int, ...] = _V2.unpack_from(data)[1:]
        self._version, self._backing_offset, self._backing_length, self._cluster_bits = fields[:4]
        self._size, self._crypt, self._l1_entries, self._l1_offset = fields[4:8]
        self._table_offset, self._table_clusters, self._snapshots, self._snapshots_offset = fields[8:]
        self._check(
            MIN_CLUSTER_BITS <= self._cluster_bits <= MAX_CLUSTER_BITS, 20, "cluster_bits", self._cluster_bits
        )
        self._read_version_3()

    def _check_start(self) -> None:
        data = self._data
        if data[:4] != MAGIC:
            raise self._error("header", 0, f"not a qcow2 image: it begins with {data[:4]!r}")
        self._check_end(V2_LENGTH, self._file_size, 0, "length of the file", self._file_size)
        version = int.from_bytes(data[4:8], "big")
        if version not in (2, 3):
            raise UnsupportedFeature(self._path, f"qcow2 version {version}")
        end = V2_LENGTH if version == 2 else V3_LENGTH
        self._check_end(end, self._file_size, 0, "length of the file", self._file_size)

    def _read_version_3(self) -> None:
        self._incompatible = self._compatible = self._autoclear = 0
        self._order, self._length = 4, V2_LENGTH
        if self._version == 3:
            features: tuple[int, ...] = _V3.unpack_from(self._data, V2_LENGTH)
            self._incompatible, self._compatible, self._autoclear, self._order, self._length = features
        self._check(self._order <= MAX_REFCOUNT_ORDER, 96, "refcount_order", self._order)
        room = min(1 << self._cluster_bits, self._file_size)
        good = self._version == 2 or (V3_LENGTH <= self._length <= room and self._length % 8 == 0)
        self._check(good, 100, "header_length", self._length)

    def needed(self) -> int:
        """How many bytes of the file hold the header; one cluster where a short look cannot tell."""
        if self._backing_offset:
            return min(self._backing_offset + self._backing_length, 1 << self._cluster_bits)
        offset = self._length
        while offset + _EXTENSION.size <= len(self._data):
            kind, length = _EXTENSION.unpack_from(self._data, offset)
            offset += _EXTENSION.size + round_up(length, 8)
            if kind == END_OF_EXTENSIONS:
                return 0
        return 1 << self._cluster_bits

    def decode(self) -> Header:
        """Check what is left to check and build the value."""
        shape = geometry(
            self._cluster_bits, self._order, self._version, bool(self._incompatible & EXTENDED_L2)
        )
        self._check_backing(shape)
        self._check_l1(shape)
        self._check_refcount_table(shape)
        self._check_snapshots(shape)
        return Header(
            geometry=shape,
            size=self._size,
            l1_offset=HostOffset(self._l1_offset),
            l1_entries=self._l1_entries,
            refcount_table_offset=HostOffset(self._table_offset),
            refcount_table_clusters=self._table_clusters,
            snapshots=self._snapshots,
            snapshots_offset=HostOffset(self._snapshots_offset),
            crypt_method=self._crypt,
            incompatible=self._incompatible,
            compatible=self._compatible,
            autoclear=self._autoclear,
            additional=self._data[V3_LENGTH : self._length],
            extensions=self._extensions(shape),
            backing_file=self._backing_name(),
            backing_offset=self._backing_offset,
        )

    def _check_backing(self, shape: Geometry) -> None:
        if self._backing_offset == 0:
            return
        self._check(
            self._length <= self._backing_offset <= shape.cluster_size,
            8,
            "offset of the backing file name",
            self._backing_offset,
        )
        room = min(shape.cluster_size, self._file_size) - self._backing_offset
        good = 0 < self._backing_length <= min(MAX_BACKING_NAME, room)
        self._check(good, 16, "length of the backing file name", self._backing_length)

    def _check_l1(self, shape: Geometry) -> None:
        self._check(self._size < 1 << 63, 24, "size", self._size)
        self._check(self._l1_offset & shape.cluster_mask == 0, 40, "offset of the L1 table", self._l1_offset)
        length = self._l1_entries * ENTRY_SIZE
        self._check(length <= MAX_L1_BYTES, 36, "size of the L1 table", self._l1_entries)
        self._check_end(
            self._l1_offset + length, self._file_size, 36, "size of the L1 table", self._l1_entries
        )
        self._check(
            self._l1_entries >= shape.l1_entries(self._size), 36, "size of the L1 table", self._l1_entries
        )
        self._check(
            self._l1_entries == 0 or self._l1_offset > 0, 40, "offset of the L1 table", self._l1_offset
        )

    def _check_refcount_table(self, shape: Geometry) -> None:
        offset = self._table_offset
        self._check(
            offset > 0 and offset & shape.cluster_mask == 0, 48, "offset of the refcount table", offset
        )
        length = self._table_clusters << self._cluster_bits
        limit = max(MAX_REFCOUNT_TABLE_BYTES, shape.cluster_size)
        self._check(0 < length <= limit, 56, "clusters of the refcount table", self._table_clusters)
        room = round_up(self._file_size, shape.cluster_size)
        self._check_end(offset + length, room, 56, "clusters of the refcount table", self._table_clusters)

    def _check_snapshots(self, shape: Geometry) -> None:
        if self._snapshots == 0:
            return
        offset = self._snapshots_offset
        self._check(
            offset > 0 and offset & shape.cluster_mask == 0, 64, "offset of the snapshot table", offset
        )
        end = offset + self._snapshots * _SNAPSHOT_MINIMUM
        self._check_end(end, self._file_size, 60, "number of snapshots", self._snapshots)

    def _extensions(self, shape: Geometry) -> tuple[Extension, ...]:
        """Spec: "Header extensions"; the area ends at its end mark or where the backing name starts."""
        found = []
        offset, end = self._length, self._backing_offset or shape.cluster_size
        while offset + _EXTENSION.size <= end:
            kind, length = _EXTENSION.unpack(
                self._data[offset : offset + _EXTENSION.size].ljust(_EXTENSION.size, b"\0")
            )
            if kind == END_OF_EXTENSIONS:
                break
            start = offset + _EXTENSION.size
            self._check(
                start + length <= min(end, self._file_size),
                offset + 4,
                "length of a header extension",
                length,
            )
            found.append(Extension(kind, self._data[start : start + length]))
            offset = start + round_up(length, 8)
        return tuple(found)

    def _backing_name(self) -> str | None:
        if self._backing_offset == 0:
            return None
        return text_of(self._data[self._backing_offset : self._backing_offset + self._backing_length])

    def _check_end(self, end: int, room: int, offset: int, field: str, value: int) -> None:
        """Raise where what *field* describes would end at *end*, behind the *room* that the file has."""
        if end > room:
            cut = f"it would end at byte {end}, the file is truncated at {self._file_size}"
            raise self._error("header", offset, f"{field} cannot be {value}: {cut}")

    def _check(self, good: bool, offset: int, field: str, value: int) -> None:
        if not good:
            raise self._error("header", offset, f"{field} cannot be {value}")

    def _error(self, structure: str, offset: int, problem: str) -> ImageError:
        return ImageError(self._path, structure, offset, problem)


# ------------------------------------------------------------------------------------------- encoding


def encode_fields(header: Header) -> bytes:
    """Return the fixed fields only: they fit one sector, so writing them over the old ones is one step."""
    shape = header.geometry
    name = bytes_of(header.backing_file or "")
    start = _V2.pack(
        MAGIC,
        shape.version,
        header.backing_offset,
        len(name),
        shape.cluster_bits,
        header.size,
        header.crypt_method,
        header.l1_entries,
        header.l1_offset,
        header.refcount_table_offset,
        header.refcount_table_clusters,
        header.snapshots,
        header.snapshots_offset,
    )
    if shape.version == 2:
        return start
    features = (header.incompatible, header.compatible, header.autoclear)
    return start + _V3.pack(*features, shape.refcount_order, header.length) + header.additional


def encode(header: Header) -> bytes:
    """Return the whole header area, the backing name placed behind the extensions.

    Raises `InvalidRequest` where it does not fit the first cluster.
    """
    extensions = b"".join(map(_encode_extension, header.extensions)) + _EXTENSION.pack(END_OF_EXTENSIONS, 0)
    name = bytes_of(header.backing_file or "")
    offset = header.length + len(extensions) if name else 0
    data = encode_fields(attrs.evolve(header, backing_offset=offset)) + extensions + name
    if len(name) > MAX_BACKING_NAME or len(data) > header.geometry.cluster_size:
        raise InvalidRequest(header.backing_file or "header", "the backing file name is too long")
    return data


def _encode_extension(extension: Extension) -> bytes:
    data = extension.data
    return _EXTENSION.pack(extension.kind, len(data)) + data.ljust(round_up(len(data), 8), b"\0")


def backing_format_extension(name: str) -> Extension:
    """Return the extension that names the backing file's format."""
    return Extension(BACKING_FORMAT, bytes_of(name))


def data_file_extension(name: str) -> Extension:
    """Return the extension that names the external data file."""
    return Extension(DATA_FILE_NAME, bytes_of(name))


def text_of(data: bytes) -> str:
    """Return a name from the header; bytes that are no UTF-8 survive a way there and back."""
    return data.decode("utf-8", "surrogateescape")


def bytes_of(text: str) -> bytes:
    """Return the bytes of a name, as `text_of` reads them."""
    return text.encode("utf-8", "surrogateescape")
