"""Repair: refcounts and copied flags are made what the image's other tables say that they should be.

All else is left alone.  Before anything is written everything has been read, and an image with a fault that
this cannot mend (a bad entry, a reference beyond the file, tables on top of each other) is not touched.
Where the refcount structures themselves are sound they are corrected in place; where not, new ones are
written behind the end of the file, and one write of the header puts them in force.

An image that is marked dirty was written with lazy refcounts by somebody who did not come to the end: its
counts may be too low, and whoever wants to write to it must do this first (spec: "Dirty bit").
"""

from array import array
from collections.abc import Iterator

import attrs

from blockops.errors import ImageError, InvalidRequest
from blockops.host.api import HostFile, read_exactly, write_fully
from blockops.qcow2.entries import (
    COMPRESSED,
    COPIED,
    OFFSET_MASK,
    BadEntry,
    decode_refcount_pointer,
    decode_refcounts,
    decode_table,
    encode_refcounts,
    encode_table,
)
from blockops.qcow2.features import KNOWN_AUTOCLEAR, refuse_reading
from blockops.qcow2.geometry import ENTRY_SIZE, MAX_REFCOUNT_TABLE_BYTES
from blockops.qcow2.header import CORRUPT, DIRTY, Header, encode_fields, read_header
from blockops.qcow2.references import References, count_references
from blockops.units import HostOffset

Change = tuple[int, bytes]


@attrs.frozen
class Repaired:
    """What was mended: *leaks* clusters that were counted too often, *corruptions* clusters that were
    counted too rarely and copied flags that were wrong.
    """

    leaks: int
    corruptions: int


def repair(file: HostFile, *, leaks_only: bool = False) -> Repaired:
    """Make refcounts and copied flags of the image in *file* right; durable afterwards.

    *leaks_only*: free leaked clusters and nothing else.  Raises `ImageError` or `UnsupportedFeature`, with
    nothing written, for an image that cannot be mended so, and `HostError`; then calling it again goes on.
    """
    if not file.writable:
        raise InvalidRequest(file.path, "it is open read-only")
    header = read_header(file)
    refuse_reading(header, file.path)
    plan = _Plan(file, header)
    if leaks_only and plan.outcome.corruptions:
        problem = f"{plan.outcome.corruptions} corruptions must be mended before leaks can be"
        raise ImageError(file.path, "image", None, problem)
    _carry_out(file, header, plan)
    return plan.outcome


def _carry_out(file: HostFile, header: Header, plan: "_Plan") -> None:
    autoclear = header.autoclear & KNOWN_AUTOCLEAR
    if autoclear != header.autoclear:
        # Spec, "autoclear_features": before anything else is written.
        header = attrs.evolve(header, autoclear=autoclear)
        write_fully(file, 0, encode_fields(header))
        file.flush()
    for offset, data in (*plan.flags, *plan.counts):
        write_fully(file, offset, data)
    file.flush()
    mended = attrs.evolve(
        plan.header, autoclear=autoclear, incompatible=header.incompatible & ~(DIRTY | CORRUPT)
    )
    if mended != header:
        write_fully(file, 0, encode_fields(mended))
        file.flush()


class _Plan:
    """Everything that is to be written, worked out in advance.

    *flags* and *counts* are pieces of the file, *header* names the refcount table afterwards.
    """

    def __init__(self, file: HostFile, header: Header) -> None:
        self._file = file
        self._shape = header.geometry
        self._leaks = self._corruptions = 0
        self._wanted = count_references(file, header)
        self.header = header
        self.flags = [*self._l1_flags(header), *self._l2_flags()]
        blocks = _sound_blocks(file, header, self._wanted)
        if blocks is None:
            self._corruptions += 1
            self.counts, self.header = _rebuilt(file, header, self._wanted)
        else:
            self.counts = list(self._corrected(blocks))

    @property
    def outcome(self) -> Repaired:
        """What carrying it out mends."""
        return Repaired(self._leaks, self._corruptions)

    # ------------------------------------------------------------------------------------------- flags

    def _l1_flags(self, header: Header) -> Iterator[Change]:
        yield from self._mended(header.l1_offset, header.l1_entries * ENTRY_SIZE, 1)

    def _l2_flags(self) -> Iterator[Change]:
        for offset in self._wanted.active_tables:
            yield from self._mended(offset, self._shape.cluster_size, self._shape.l2_words)

    def _mended(self, offset: int, length: int, words: int) -> Iterator[Change]:
        """Yield a table of the active ones with its copied flags right, where they are not."""
        entries = decode_table(read_exactly(self._file, offset, length) if length else b"")
        first = enumerate(entries[::words])
        uncounted = self._wanted.external and offset != self.header.l1_offset
        wrong = [index * words for index, entry in first if entry and self._wrong(entry, uncounted)]
        for index in wrong:
            entries[index] ^= COPIED
        self._corruptions += len(wrong)
        if wrong:
            yield offset + wrong[0] * ENTRY_SIZE, encode_table(entries[wrong[0] : wrong[-1] + 1])

    def _wrong(self, entry: int, uncounted: bool) -> bool:
        host = entry & OFFSET_MASK
        if entry & COMPRESSED or not host:
            return False
        if uncounted:
            return not entry & COPIED
        return bool(entry & COPIED) != (self._wanted.get(host >> self._shape.cluster_bits) == 1)

    # ------------------------------------------------------------------------------------------ counts

    def _corrected(self, blocks: dict[int, HostOffset]) -> Iterator[Change]:
        """Yield every refcount block that is not as it should be."""
        shape = self._shape
        for index, offset in blocks.items():
            stored = decode_refcounts(
                read_exactly(self._file, offset, shape.cluster_size).ljust(shape.cluster_size, b"\0"),
                shape.refcount_order,
            )
            wanted = _counts(self._file.path, self._wanted, index)
            if stored != wanted:
                pairs = list(zip(stored, wanted, strict=True))
                self._leaks += sum(had > right for had, right in pairs)
                self._corruptions += sum(had < right for had, right in pairs)
                yield offset, encode_refcounts(wanted, shape.refcount_order)


def _sound_blocks(file: HostFile, header: Header, wanted: References) -> dict[int, HostOffset] | None:
    """Return where the refcount blocks are, themselves counted, None where they will not do."""
    shape, size = header.geometry, header.geometry.cluster_size
    length = header.refcount_table_clusters * size
    table = decode_table(read_exactly(file, header.refcount_table_offset, length).ljust(length, b"\0"))
    blocks: dict[int, HostOffset] = {}
    for index, entry in enumerate(table):
        if entry:
            try:
                offset = decode_refcount_pointer(entry, shape)
            except BadEntry:
                return None
            blocks[index] = HostOffset(offset or 0)
    places = [header.refcount_table_offset + at for at in range(0, length, size)] + list(blocks.values())
    if len(set(places)) < len(places) or not all(wanted.free(at, size) for at in places):
        return None
    needed = {
        *wanted.blocks(shape.block_bits),
        *(at >> shape.cluster_bits + shape.block_bits for at in places),
    }
    if not needed <= blocks.keys():
        return None
    wanted.own("refcount table", header.refcount_table_offset, length)
    for offset in blocks.values():
        wanted.own("refcount block", offset, size)
    return blocks


def _counts(path: str, wanted: References, index: int) -> "array[int]":
    """Return what a refcount block should hold; raises `ImageError` where a count is not wide enough."""
    shape = wanted.shape
    counts = wanted.counts(index << shape.block_bits, shape.block_entries)
    if (most := max(counts)) > shape.max_refcount:
        cluster = ((index << shape.block_bits) + counts.index(most)) << shape.cluster_bits
        problem = f"{most} references to it do not fit {shape.refcount_bits} bits"
        raise ImageError(path, "refcount of the cluster", cluster, problem)
    return array(decode_refcounts(bytes(8), shape.refcount_order).typecode, counts)


def _rebuilt(file: HostFile, header: Header, wanted: References) -> tuple[list[Change], Header]:
    """Return new refcount structures, to be written behind the end of the file, and a header for them."""
    shape = header.geometry
    first = shape.clusters(file.size())
    table_clusters, blocks = 1, wanted.blocks(shape.block_bits)
    while True:
        used = range(first, first + table_clusters + len(blocks))
        more = sorted({*blocks, *(cluster >> shape.block_bits for cluster in used)})
        clusters = shape.clusters((more[-1] + 1) * ENTRY_SIZE)
        if (more, clusters) == (blocks, table_clusters):
            break
        blocks, table_clusters = more, clusters
    if table_clusters > max(1, MAX_REFCOUNT_TABLE_BYTES >> shape.cluster_bits):
        raise ImageError(file.path, "refcount table", None, f"it would need {table_clusters} clusters")
    start = first << shape.cluster_bits
    wanted.extend(used.stop)
    wanted.own("new refcount structures", start, len(used) << shape.cluster_bits)
    table = array("Q", bytes(table_clusters << shape.cluster_bits))
    changes = []
    for place, index in enumerate(blocks, first + table_clusters):
        table[index] = place << shape.cluster_bits
        changes.append(
            (table[index], encode_refcounts(_counts(file.path, wanted, index), shape.refcount_order))
        )
    changes.append((start, encode_table(table)))
    named = attrs.evolve(
        header, refcount_table_offset=HostOffset(start), refcount_table_clusters=table_clusters
    )
    return changes, named
