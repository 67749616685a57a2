"""A new, empty image: header, refcount table, refcount blocks and L1 table, in as few writes as possible.

The header is written last: until then the file is not an image of any format, so what a killed process
leaves is refused by name instead of being half an image.  So is what a power cut leaves, where the image is
to be durable: then all else is flushed before the first sector of the header is written.
"""

from array import array
from functools import lru_cache

import attrs

from blockops.errors import InvalidRequest
from blockops.host.api import HostFile, write_fully
from blockops.qcow2.entries import encode_refcounts, encode_table, ones
from blockops.qcow2.features import COMPRESSION_TYPES, DATA_FILE_RAW
from blockops.qcow2.geometry import (
    ENTRY_SIZE,
    MAX_CLUSTER_BITS,
    MAX_REFCOUNT_ORDER,
    MIN_CLUSTER_BITS,
    MIN_EXTENDED_CLUSTER_BITS,
    Geometry,
    geometry,
)
from blockops.qcow2.header import (
    COMPRESSION_TYPE,
    DATA_FILE,
    EXTENDED_L2,
    LAZY_REFCOUNTS,
    Header,
    backing_format_extension,
    data_file_extension,
    encode,
)
from blockops.units import MIB, SECTOR, HostOffset, round_up

# Pieces with less than this between them are written as one: writing zeros is cheaper than another call.
_BRIDGED = 4096


def create(
    file: HostFile,
    *,
    size: int,
    cluster_size: int = 65536,
    version: int = 3,
    backing_file: str | None = None,
    backing_format: str | None = None,
    refcount_bits: int = 16,
    compression_type: str = "zlib",
    lazy_refcounts: bool = False,
    extended_l2: bool = False,
    data_file: str | None = None,
    data_file_raw: bool = False,
    durable: bool = False,
) -> None:
    """Make the open *file* an image of *size* bytes (rounded up to sectors).

    It is empty or a volume, whose old bytes are overwritten where the image says something.  *durable*: all
    of it is on the disk afterwards, and at no time the header without its tables; else nothing is flushed,
    and a power cut may leave the header alone.

    *data_file* is only named: the file is its caller's to make, and with *data_file_raw* to `preallocate`.
    Raises `InvalidRequest` for what the format cannot hold, before anything is written, and `HostError`.
    """
    size = round_up(size, SECTOR)
    shape = _shape(file.path, size, cluster_size, version, refcount_bits, extended_l2)
    layout = _layout(shape, shape.l1_entries(size))
    header = Header(
        geometry=shape,
        size=size,
        l1_offset=layout.l1_offset,
        l1_entries=shape.l1_entries(size),
        refcount_table_offset=HostOffset(cluster_size),
        refcount_table_clusters=layout.table_clusters,
        extensions=() if backing_format is None else (backing_format_extension(backing_format),),
        backing_file=backing_file,
        incompatible=EXTENDED_L2 if extended_l2 else 0,
    )
    if lazy_refcounts or compression_type != "zlib":
        header = _announcing(file.path, header, lazy_refcounts, compression_type)
    if data_file is not None or data_file_raw:
        header = _with_data_file(file.path, header, data_file, data_file_raw)
    _write_out(file, encode(header), layout, durable)


def _write_out(file: HostFile, encoded: bytes, layout: "_Layout", durable: bool) -> None:
    # Everything that is not written, the L1 table above all, reads as zeros.
    file.truncate(layout.end)
    if file.size() > layout.end:
        wipe(file, layout.end)
    if not durable:
        _write(file, ((0, encoded), *layout.tables))
        return
    beyond = ((SECTOR, encoded[SECTOR:]),) if len(encoded) > SECTOR else ()
    _write(file, (*beyond, *layout.tables))
    file.flush()
    _write(file, ((0, encoded[:SECTOR]),))
    file.flush()


def _write(file: HostFile, pieces: tuple[tuple[int, bytes], ...]) -> None:
    """Write ascending *pieces*, the first one last."""
    for offset, data in reversed(_joined(pieces)):
        write_fully(file, offset, data)


def wipe(file: HostFile, end: int) -> None:
    """Write zeros to what is before *end* of a volume, from the start: an old header is gone first."""
    for offset in range(0, end, MIB):
        write_fully(file, offset, bytes(min(MIB, end - offset)))


def _announcing(path: str, header: Header, lazy_refcounts: bool, compression_type: str) -> Header:
    """Return *header* with features that only version 3 has."""
    if header.geometry.version < 3:
        raise InvalidRequest(path, "version 2 has neither lazy refcounts nor compression types beside zlib")
    if lazy_refcounts:
        header = attrs.evolve(header, compatible=LAZY_REFCOUNTS)
    if compression_type == "zlib":
        return header
    if compression_type not in COMPRESSION_TYPES:
        raise InvalidRequest(path, f"there is no compression type {compression_type}")
    field = bytes([COMPRESSION_TYPES.index(compression_type)]).ljust(8, b"\0")
    return attrs.evolve(header, incompatible=header.incompatible | COMPRESSION_TYPE, additional=field)


def _with_data_file(path: str, header: Header, name: str | None, raw: bool) -> Header:
    """Return *header* naming an external data file."""
    if not name:
        raise InvalidRequest(path, "a raw data file needs a name")
    if header.geometry.version < 3:
        raise InvalidRequest(path, "version 2 has no external data files")
    if raw and header.backing_file is not None:
        raise InvalidRequest(path, "an image with a raw data file cannot have a backing file")
    return attrs.evolve(
        header,
        incompatible=header.incompatible | DATA_FILE,
        autoclear=DATA_FILE_RAW if raw else 0,
        extensions=(*header.extensions, data_file_extension(name)),
    )


def _shape(
    path: str, size: int, cluster_size: int, version: int, refcount_bits: int, extended_l2: bool
) -> Geometry:
    bits = cluster_size.bit_length() - 1
    if cluster_size != 1 << bits or not MIN_CLUSTER_BITS <= bits <= MAX_CLUSTER_BITS:
        raise InvalidRequest(path, f"the cluster size cannot be {cluster_size}")
    if version not in (2, 3):
        raise InvalidRequest(path, f"there is no qcow2 version {version}")
    order = max(0, refcount_bits.bit_length() - 1)
    if refcount_bits != 1 << order or order > MAX_REFCOUNT_ORDER or (version < 3 and refcount_bits != 16):
        raise InvalidRequest(path, f"version {version} has no refcounts of {refcount_bits} bits")
    if extended_l2 and (version < 3 or bits < MIN_EXTENDED_CLUSTER_BITS):
        least = 1 << MIN_EXTENDED_CLUSTER_BITS
        raise InvalidRequest(
            path, f"extended L2 entries need version 3 and clusters of {least} bytes or more"
        )
    shape = geometry(bits, order, version, extended_l2)
    if not 0 <= size <= shape.max_size:
        raise InvalidRequest(path, f"an image with clusters of {cluster_size} bytes cannot hold {size} bytes")
    return shape


@attrs.frozen
class _Layout:
    """Header, refcount table, refcount blocks, L1 table, in this order; *tables* holds the middle two."""

    table_clusters: int
    l1_offset: HostOffset
    end: int
    tables: tuple[tuple[int, bytes], ...]


@lru_cache(maxsize=64)
def _layout(shape: Geometry, l1_entries: int) -> _Layout:
    l1_clusters = shape.clusters(l1_entries * ENTRY_SIZE)
    blocks = table_clusters = 1
    # Blocks and table count themselves too, so both grow until they cover the sum.
    while (used := 1 + table_clusters + blocks + l1_clusters) > blocks * shape.block_entries:
        blocks = -(-used >> shape.block_bits)
        table_clusters = shape.clusters(blocks * ENTRY_SIZE)
    first_block = 1 + table_clusters
    offsets = range(first_block, first_block + blocks)
    table = encode_table(array("Q", [cluster << shape.cluster_bits for cluster in offsets]))
    counts = encode_refcounts(ones(used, shape.refcount_order), shape.refcount_order)
    l1 = HostOffset((first_block + blocks) << shape.cluster_bits)
    end = used << shape.cluster_bits
    tables = (shape.cluster_size, table), (first_block << shape.cluster_bits, counts)
    return _Layout(table_clusters, l1, end, tables)


def _joined(pieces: tuple[tuple[int, bytes], ...]) -> list[tuple[int, bytes]]:
    """Return ascending *pieces* with near ones made one."""
    joined = [pieces[0]]
    for offset, data in pieces[1:]:
        start, before = joined[-1]
        if offset - start - len(before) <= _BRIDGED:
            joined[-1] = start, before.ljust(offset - start, b"\0") + data
        else:
            joined.append((offset, data))
    return joined
