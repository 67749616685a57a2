"""Where guest clusters are: L1 and L2 tables, read in runs and changed in memory.

A lookup answers for as many clusters as lie together, so that one run is one system call.  Nothing here
moves guest data: the image writes data first and then lets `point` refer to it, and whatever loses its
last reference is released (spec: "Cluster mapping").
"""

import contextlib
import enum
from array import array
from typing import assert_never

from blockops.errors import BlockError, ImageError
from blockops.qcow2.anchor import Anchor
from blockops.qcow2.durable import DurableFile
from blockops.qcow2.entries import (
    ALL_BITS,
    COPIED,
    OFFSET_MASK,
    BadEntry,
    Compressed,
    Data,
    Mapping,
    Unallocated,
    Zero,
    decode_l1,
    decode_l2,
    encode_l2,
)
from blockops.qcow2.geometry import ENTRY_SIZE
from blockops.qcow2.refcounts import Refcounts
from blockops.qcow2.table_cache import RootTable, Table, TableCache
from blockops.units import MIB, HostOffset

# Bounds the memory for L2 tables; 16 MiB of them map 128 GiB in 64 KiB clusters.
CACHE_BYTES = 16 * MIB
FEWEST_TABLES = 8
NOWHERE = HostOffset(0)


class Kind(enum.Enum):
    """Where the bytes of a run come from."""

    DATA = "data"
    ZERO = "zero"
    UNALLOCATED = "unallocated"
    COMPRESSED = "compressed"


_DATA, _ZERO, _UNALLOCATED = Kind.DATA, Kind.ZERO, Kind.UNALLOCATED
_COMPRESSED = Kind.COMPRESSED
Run = tuple[Kind, HostOffset, int]


class ClusterMap:
    """The guest's clusters of an open image.  Numbers are guest clusters, offsets and lengths bytes."""

    def __init__(self, file: DurableFile, data: DurableFile, anchor: Anchor, refcounts: Refcounts) -> None:
        header = anchor.header
        shape = header.geometry
        self._file = file
        self._data = data
        self._anchor = anchor
        self._shape = shape
        self._refcounts = refcounts
        self._bits, self._mask, self._size = shape.cluster_bits, shape.cluster_mask, shape.cluster_size
        self._l2_bits, self._l2_mask, self._words = shape.l2_bits, shape.l2_mask, shape.l2_words
        # An entry that is COPIED under this mask is plain data, well formed and ours alone.
        self._beside_offset = ALL_BITS & ~(OFFSET_MASK & ~shape.cluster_mask)
        capacity = max(FEWEST_TABLES, CACHE_BYTES // shape.cluster_size)
        self.l2 = TableCache(file, "L2 table", shape.cluster_size, capacity)
        self.l1 = RootTable(file, "L1 table", self._announce)
        # What an entry names is counted, and its data written, before the entry is in the file.
        self.l2.depends_on(refcounts.blocks, refcounts.table)
        self.l1.depends_on(self.l2)
        self._tables = self.l2.tables
        self.l1.load(header.l1_offset, header.l1_entries)
        self._l1 = self.l1.entries

    # -------------------------------------------------------------------------------------- looking up

    def find(self, offset: int, length: int) -> Run:
        """Return what is at *offset*, where in the file, and for how many of *length* > 0 bytes.

        Where compressed data is, `compressed` says; its run ends with its cluster.  Raises `ImageError` for a
        bad entry, `HostError`.
        """
        cluster = offset >> self._bits
        inside = offset & self._mask
        index = cluster & self._l2_mask
        entries = self._entries(cluster)
        if entries is None:
            return _UNALLOCATED, NOWHERE, min(length, ((self._l2_mask + 1 - index) << self._bits) - inside)
        entry = entries[index]
        if entry & self._beside_offset == COPIED and entry != COPIED:
            host = HostOffset((entry ^ COPIED) + inside)
            if inside + length <= self._size:
                return _DATA, host, length
            return _DATA, host, self._data_run(entries, index, inside, length)
        return self._find_other(cluster, entries, inside, length)

    def place(self, offset: int, length: int) -> tuple[HostOffset | None, int]:
        """Return where *length* > 0 bytes can be written in place, and how many of them.

        None means that new clusters are needed, for as many bytes.  Errors as `find`.
        """
        cluster = offset >> self._bits
        inside = offset & self._mask
        index = cluster & self._l2_mask
        entries = self._entries(cluster) if self._l1[cluster >> self._l2_bits] & COPIED else None
        if entries is not None:
            entry = entries[index]
            if entry & self._beside_offset == COPIED and entry != COPIED:
                return HostOffset((entry ^ COPIED) + inside), self._data_run(entries, index, inside, length)
        end = min(self._l2_mask + 1, index + ((inside + length + self._mask) >> self._bits))
        run = end - index if entries is None else self._new_run(entries, index, end)
        return None, min(length, (run << self._bits) - inside)

    def _entries(self, cluster: int) -> "array[int] | None":
        pointer = self._l1[cluster >> self._l2_bits]
        # A pointer that is not simply copied-and-aligned never equals a cached offset here.
        table = self._tables.get(pointer ^ COPIED)
        if table is not None:
            return table.entries
        return None if pointer == 0 else self._load(cluster >> self._l2_bits, pointer)

    def _load(self, l1_index: int, pointer: int) -> "array[int] | None":
        shared = self._tables.get(pointer)
        if shared is not None:
            return shared.entries
        try:
            table = decode_l1(pointer, self._shape)
        except BadEntry as bad:
            where = self.l1.offset + l1_index * ENTRY_SIZE
            raise ImageError(self._file.path, "L1 table", where, str(bad)) from bad
        return None if table is None else self.l2.load(table.host).entries

    def _data_run(self, entries: "array[int]", index: int, inside: int, length: int) -> int:
        """Return how many bytes from *inside* cluster *index* lie together and are ours to write."""
        last = min(index + ((inside + length - 1) >> self._bits), self._l2_mask)
        size = self._size
        expected = entries[index] + size
        at = index + 1
        while at <= last and entries[at] == expected:
            expected += size
            at += 1
        return min(length, (at - index) * size - inside)

    def _new_run(self, entries: "array[int]", index: int, end: int) -> int:
        """Return how many clusters from *index* need a new place."""
        beside = self._beside_offset
        at = index + 1
        while at < end and (entries[at] & beside != COPIED or entries[at] == COPIED):
            at += 1
        return at - index

    def _find_other(self, cluster: int, entries: "array[int]", inside: int, length: int) -> Run:
        index = cluster & self._l2_mask
        if entries[index] & self._beside_offset == 0 != entries[index]:
            # Plain data that an internal snapshot has, too.
            host = HostOffset(entries[index] + inside)
            return _DATA, host, self._data_run(entries, index, inside, length)
        last = min(index + ((inside + length - 1) >> self._bits), self._l2_mask)
        kind, host = self._meaning(cluster, entries[index])
        if kind is _COMPRESSED:
            return kind, host, min(length, self._size - inside)
        at = index + 1
        while at <= last:
            if entries[at] != entries[at - 1] or kind is _DATA:
                following, next_host = self._meaning(cluster + at - index, entries[at])
                if following is not kind or (
                    kind is _DATA and next_host != host + ((at - index) << self._bits)
                ):
                    break
            at += 1
        return kind, HostOffset(host + inside), min(length, ((at - index) << self._bits) - inside)

    def _meaning(self, cluster: int, entry: int) -> tuple[Kind, HostOffset]:
        mapping = self._decode(cluster, entry)
        match mapping:
            case Unallocated():
                return _UNALLOCATED, NOWHERE
            case Zero():
                return _ZERO, NOWHERE
            case Data(host):
                return _DATA, host
            case Compressed():
                return _COMPRESSED, NOWHERE
            case _:
                assert_never(mapping)

    def compressed(self, cluster: int) -> Compressed:
        """Return where the data of a cluster is that `find` has called compressed."""
        entries = self._entries(cluster)
        index = (cluster & self._l2_mask) * self._words
        mapping = None if entries is None else self._decode(cluster, entries[index])
        assert isinstance(mapping, Compressed)
        return mapping

    def _decode(self, cluster: int, entry: int) -> Mapping:
        try:
            return decode_l2(entry, self._shape)
        except BadEntry as bad:
            table = self._l1[cluster >> self._l2_bits] & OFFSET_MASK
            where = table + (cluster & self._l2_mask) * self._words * ENTRY_SIZE
            raise ImageError(self._file.path, "L2 table", where, str(bad)) from bad

    # ---------------------------------------------------------------------------------------- changing

    def allocate(self, cluster: int, count: int) -> tuple[HostOffset, int, bool]:
        """Count new host clusters for up to *count* guest clusters from *cluster*, all of one L2 table.

        Returns the first's offset, how many, and whether nobody has ever written there.  Nothing refers
        to them yet: `point` or `give_back` must follow.  Raises `HostError` or `ImageError`.
        """
        self._own_table(cluster >> self._l2_bits)
        host, granted = self._refcounts.allocate(count)
        return host, granted, host >= self._file.end

    def give_back(self, host: HostOffset, count: int) -> None:
        """Undo an `allocate` that came to nothing; where even that fails, the clusters are leaked."""
        with contextlib.suppress(BlockError):
            self._refcounts.give_back(host, count)

    def point(self, cluster: int, host: HostOffset, count: int) -> None:
        """Let *count* guest clusters, all of one L2 table, be at *host*; where they were is released."""
        first = host | COPIED
        self._replace(cluster, array("Q", range(first, first + count * self._size, self._size)))

    def reserve(self, cluster: int, host: HostOffset, count: int) -> None:
        """Let *count* guest clusters have the place *host*, which reads as they do."""
        self.point(cluster, host, count)

    def point_compressed(self, cluster: int, host: HostOffset, length: int) -> None:
        """Let a guest cluster be the *length* compressed bytes at *host*; where it was is released."""
        self._replace(cluster, array("Q", [self._compressed_entry(host, length)]))

    def _compressed_entry(self, host: HostOffset, length: int) -> int:
        return encode_l2(Compressed(host, length), self._shape)

    def clear(self, cluster: int, count: int, *, zero: bool) -> None:
        """Let *count* guest clusters, all of one L2 table, be zero clusters or unallocated ones."""
        if not zero and self._l1[cluster >> self._l2_bits] == 0:
            return
        self._replace(cluster, array("Q", [1 if zero else 0]) * count)

    def _replace(self, cluster: int, new: "array[int]") -> None:
        table = self._own_table(cluster >> self._l2_bits)
        index = (cluster & self._l2_mask) * self._words
        end = index + len(new)
        old = table.entries[index:end]
        if old == new:
            return
        # All are decoded before any is changed: after an error the mapping is as it was.
        losses = [] if old.count(0) == len(old) else self._hosts(cluster, old[:: self._words])
        table.entries[index:end] = new
        self.l2.touch(table, index, len(new))
        for host, clusters in losses:
            self._lose(host, clusters)

    def _lose(self, host: HostOffset, count: int) -> None:
        """Give up a reference to each of *count* host clusters."""
        self._refcounts.release(host, count)

    def _hosts(self, cluster: int, entries: "array[int]") -> list[tuple[HostOffset, int]]:
        """Return the runs of host clusters that *entries* refer to."""
        hosts = []
        for at, entry in enumerate(entries):
            mapping = self._decode(cluster + at, entry)
            match mapping:
                case Data(host) | Zero(int() as host):
                    hosts.append((host, 1))
                case Unallocated() | Zero():
                    pass
                case Compressed(host, length):
                    first = HostOffset(host & ~self._mask)
                    hosts.append((first, self._shape.clusters(host + length - first)))
                case _:
                    assert_never(mapping)
        return hosts

    def _own_table(self, l1_index: int) -> Table:
        """Return the L2 table for writing: made where there is none, copied where others refer to it too."""
        pointer = self._l1[l1_index]
        table = self._tables.get(pointer ^ COPIED)
        if table is not None:
            return table
        entries = None if pointer == 0 else self._load(l1_index, pointer)
        if entries is not None and pointer & COPIED:
            return self._tables[pointer ^ COPIED]
        fresh = array("Q", bytes(self._shape.cluster_size)) if entries is None else entries[:]
        self.l2.make_room()
        host = self._refcounts.allocate(1)[0]
        table = self.l2.add(host, fresh)
        self.l1.put(l1_index, host | COPIED)
        if entries is not None:
            self.l2.drop(HostOffset(pointer))
            self._refcounts.release(HostOffset(pointer), 1)
        return table

    # ----------------------------------------------------------------------------------------- growing

    def grow(self, size: int) -> None:
        """Make the L1 table map a virtual disk of *size* bytes; moves it where it has no room."""
        needed = self._shape.l1_entries(size)
        count = len(self._l1)
        if needed <= count:
            return
        entries = self._l1[:]
        entries.extend(array("Q", bytes((needed - count) * ENTRY_SIZE)))
        old = self.l1.offset
        host = self._refcounts.allocate_contiguous(self._shape.clusters(needed * ENTRY_SIZE))
        self.l1.move(host, entries)
        self._l1 = entries
        if count:
            self._refcounts.release(old, self._shape.clusters(count * ENTRY_SIZE))

    def adopt_l1(self, offset: HostOffset, entries: "array[int]") -> None:
        """Go on with the L1 table that the header names since just now."""
        self.l1.adopt(offset, entries)
        self._l1 = entries

    def _announce(self, offset: HostOffset, count: int) -> None:
        self._anchor.update(l1_offset=offset, l1_entries=count)
