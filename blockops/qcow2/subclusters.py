"""Extended L2 entries: clusters of 32 subclusters, each of which is data, zeros or unallocated by itself.

An entry has two words.  The first is a standard entry without the zero flag, the second the bitmap of the
subclusters: which are allocated in its lower half, which read as zeros in its upper (spec: "Extended L2
Entries").  Where a cluster has a place that is ours alone, a write fills subclusters of it and sets their
bits; else it gets a new place, and what of the old one was in use moves along.
"""

from array import array
from typing import Final

from blockops.errors import BlockError, Effect, ImageError
from blockops.qcow2.entries import (
    ALL_BITS,
    ALLOCATED,
    COMPRESSED,
    COPIED,
    OFFSET_MASK,
    BadEntry,
    check_subclusters,
)
from blockops.qcow2.features import DATA_FILE_RAW
from blockops.qcow2.geometry import ENTRY_SIZE, SUBCLUSTERS
from blockops.qcow2.mapping import NOWHERE, ClusterMap, Kind, Run
from blockops.qcow2.writing import Writer
from blockops.units import HostOffset

_DATA, _ZERO, _UNALLOCATED, _COMPRESSED = Kind.DATA, Kind.ZERO, Kind.UNALLOCATED, Kind.COMPRESSED
_ZEROS_SHIFT: Final = 32


def bits(first: int, end: int) -> int:
    """Return a bitmap of the subclusters from *first* up to *end*."""
    return (1 << end) - (1 << first)


class SubclusterMap(ClusterMap):
    """The guest's clusters where L2 entries are extended."""

    @property
    def _subcluster_bits(self) -> int:
        return self._bits - 5

    def find(self, offset: int, length: int) -> Run:
        cluster = offset >> self._bits
        inside = offset & self._mask
        entries = self._entries(cluster)
        index, last = cluster & self._l2_mask, self._l2_mask
        if entries is None:
            return _UNALLOCATED, NOWHERE, min(length, ((last + 1 - index) << self._bits) - inside)
        kind, host, end = self._stretch(cluster, entries, inside >> self._subcluster_bits)
        run = (end << self._subcluster_bits) - inside
        while end == SUBCLUSTERS and run < length and index < last and kind is not _COMPRESSED:
            cluster, index = cluster + 1, index + 1
            following, place, end = self._stretch(cluster, entries, 0)
            if following is not kind or (kind is _DATA and place != host + inside + run):
                break
            run += end << self._subcluster_bits
        return kind, HostOffset(host + inside) if kind is _DATA else NOWHERE, min(length, run)

    def _stretch(self, cluster: int, entries: "array[int]", first: int) -> tuple[Kind, int, int]:
        """Return what the subcluster *first* is, where its cluster is, and where its like end."""
        at = (cluster & self._l2_mask) * 2
        entry, bitmap = entries[at], entries[at + 1]
        self._check(cluster, entry, bitmap)
        if entry & COMPRESSED:
            return _COMPRESSED, NOWHERE, SUBCLUSTERS
        allocated, zeros = bitmap & ALLOCATED, bitmap >> _ZEROS_SHIFT
        if allocated >> first & 1:
            return _DATA, entry & OFFSET_MASK, _end_of(allocated, first)
        if zeros >> first & 1:
            return _ZERO, NOWHERE, _end_of(zeros, first)
        return _UNALLOCATED, NOWHERE, _end_of(ALLOCATED & ~(allocated | zeros), first)

    def _check(self, cluster: int, entry: int, bitmap: int) -> None:
        # COPIED under the mask: well formed, ours alone, and what follows is only about its bitmap.
        if entry & self._beside_offset == COPIED and entry != COPIED and not bitmap & bitmap >> 32:
            return
        if not entry and not bitmap & ALLOCATED:
            return
        try:
            self._decode(cluster, entry)
            check_subclusters(entry, bitmap, self._shape)
        except BadEntry as bad:
            where = (self._l1[cluster >> self._l2_bits] & OFFSET_MASK) + (
                cluster & self._l2_mask
            ) * 2 * ENTRY_SIZE
            raise ImageError(self._file.path, "L2 table", where, str(bad)) from bad

    def place(self, offset: int, length: int) -> tuple[HostOffset | None, int]:
        cluster = offset >> self._bits
        inside = offset & self._mask
        owned = self._l1[cluster >> self._l2_bits] & COPIED
        entries = self._entries(cluster)
        if entries is None:
            return None, min(length, ((self._l2_mask + 1 - (cluster & self._l2_mask)) << self._bits) - inside)
        entry = entries[(cluster & self._l2_mask) * 2]
        if owned and self._is_ours(entry):
            kind, host, run = self.find(offset, length)
            if kind is _DATA:
                return host, self._ours(cluster, entries, inside, run)
            first = inside >> self._subcluster_bits
            free = ALLOCATED & ~entries[(cluster & self._l2_mask) * 2 + 1]
            return None, min(length, (_end_of(free, first) << self._subcluster_bits) - inside)
        if entry:
            return None, min(length, self._size - inside)
        return None, self._bare_run(entries, cluster & self._l2_mask, inside, length)

    def _ours(self, cluster: int, entries: "array[int]", inside: int, run: int) -> int:
        """Cut a run of data that lies together where a cluster is not ours alone."""
        index = cluster & self._l2_mask
        for at in range(index + 1, index + ((inside + run - 1) >> self._bits) + 1):
            if not self._is_ours(entries[at * 2]):
                return ((at - index) << self._bits) - inside
        return run

    def _bare_run(self, entries: "array[int]", index: int, inside: int, length: int) -> int:
        """Return for how many bytes clusters have no place at all."""
        at = index + 1
        while at <= self._l2_mask and ((at - index) << self._bits) - inside < length and not entries[at * 2]:
            at += 1
        return min(length, ((at - index) << self._bits) - inside)

    def _is_ours(self, entry: int) -> bool:
        return entry & self._beside_offset == COPIED and entry != COPIED

    # ---------------------------------------------------------------------------------------- changing

    def prepare(self, cluster: int) -> tuple[HostOffset | None, bool]:
        """Make the cluster's L2 table ours; return its place where that is, too, and whether it has one."""
        entry = self._own_table(cluster >> self._l2_bits).entries[(cluster & self._l2_mask) * 2]
        return HostOffset(entry ^ COPIED) if self._is_ours(entry) else None, bool(entry)

    def fill(self, offset: int, length: int) -> None:
        """Let the subclusters that a range in one cluster touches be data, in the place that it has."""
        inside = offset & self._mask
        self._set(offset >> self._bits, self._touched(inside, length), 0)

    def zero(self, offset: int, length: int) -> bool:
        """Let whole subclusters of one cluster read as zeros; False where the cluster is compressed."""
        cluster = offset >> self._bits
        if self._own_table(cluster >> self._l2_bits).entries[(cluster & self._l2_mask) * 2] & COMPRESSED:
            return False
        self._set(cluster, 0, self._touched(offset & self._mask, length))
        return True

    def _touched(self, inside: int, length: int) -> int:
        return bits(inside >> self._subcluster_bits, ((inside + length - 1) >> self._subcluster_bits) + 1)

    def _set(self, cluster: int, data: int, zeros: int) -> None:
        table = self._own_table(cluster >> self._l2_bits)
        at = (cluster & self._l2_mask) * 2
        self._check(cluster, table.entries[at], table.entries[at + 1])
        kept = table.entries[at + 1] & (ALL_BITS ^ (data | zeros) * (1 + (1 << _ZEROS_SHIFT)))
        table.entries[at + 1] = kept | data | zeros << _ZEROS_SHIFT
        self.l2.touch(table, at + 1, 1)

    def point(self, cluster: int, host: HostOffset, count: int) -> None:
        """Let *count* whole guest clusters be at *host*."""
        new = array("Q")
        for place in range(host, host + count * self._size, self._size):
            new.extend((place | COPIED, ALLOCATED))
        self._replace(cluster, new)

    def reserve(self, cluster: int, host: HostOffset, count: int) -> None:
        """Let *count* guest clusters have the place *host* and be unallocated there."""
        new = array("Q")
        for place in range(host, host + count * self._size, self._size):
            new.extend((place | COPIED, 0))
        self._replace(cluster, new)

    def settle(self, offset: int, length: int, host: HostOffset) -> None:
        """Let the subclusters that a range touches be data, in clusters that had no place before *host*."""
        cluster, last = offset >> self._bits, (offset + length - 1) >> self._bits
        entries = self._own_table(cluster >> self._l2_bits).entries
        new = array("Q")
        for number in range(cluster, last + 1):
            start = max(offset, number << self._bits)
            end = min(offset + length, (number + 1) << self._bits)
            data = self._touched(start & self._mask, end - start)
            zeros = entries[(number & self._l2_mask) * 2 + 1] & ~(data << _ZEROS_SHIFT)
            new.extend((host + (number - cluster) * self._size | COPIED, zeros & ~ALLOCATED | data))
        self._replace(cluster, new)

    def point_compressed(self, cluster: int, host: HostOffset, length: int) -> None:
        self._replace(cluster, array("Q", [self._compressed_entry(host, length), 0]))

    def clear(self, cluster: int, count: int, *, zero: bool) -> None:
        if not zero and self._l1[cluster >> self._l2_bits] == 0:
            return
        self._replace(cluster, array("Q", [0, ALLOCATED << _ZEROS_SHIFT if zero else 0]) * count)


def _end_of(bitmap: int, first: int) -> int:
    """Return where the run of ones ends that begins at bit *first*."""
    rest = ~(bitmap >> first)
    return first + (rest & -rest).bit_length() - 1


class SubclusterWriter(Writer):
    """Puts what the guest writes into subclusters."""

    _map: SubclusterMap

    @property
    def _unit(self) -> int:
        return self._shape.cluster_size // SUBCLUSTERS

    def write_new(self, offset: int, data: memoryview) -> int:
        host, placed = self._map.prepare(offset >> self._shape.cluster_bits)
        if host is not None:
            return self._write_into(host, offset, data)
        return self._write_moved(offset, data) if placed else self._write_bare(offset, data)

    def _write_into(self, host: HostOffset, offset: int, data: memoryview) -> int:
        """Fill subclusters of a cluster that has its place; nobody sees them before their bits are set."""
        inside = offset & self._shape.cluster_mask
        data = data[: self._shape.cluster_size - inside]
        try:
            start = inside & -self._unit
            self._fill(HostOffset(host + start), offset, data, False, self._unit - 1)
        except BlockError as error:
            error.effect = Effect.NONE
            raise
        self._map.fill(offset, len(data))
        return len(data)

    def _write_moved(self, offset: int, data: memoryview) -> int:
        """Give one cluster a new place, where it is all data; what it was elsewhere is released."""
        return super().write_new(
            offset, data[: self._shape.cluster_size - (offset & self._shape.cluster_mask)]
        )

    def _write_bare(self, offset: int, data: memoryview) -> int:
        """Give clusters a place that had none; subclusters of the first and the last may stay as they are."""
        shape = self._shape
        inside = offset & shape.cluster_mask
        host, count, untouched = self._map.allocate(
            offset >> shape.cluster_bits, shape.clusters(inside + len(data))
        )
        try:
            data = data[: (count << shape.cluster_bits) - inside]
            start = inside & -self._unit
            self._fill(HostOffset(host + start), offset, data, untouched, self._unit - 1)
            self._map.settle(offset, len(data), host)
        except BlockError as error:
            error.effect = Effect.NONE
            self._map.give_back(host, count)
            raise
        return len(data)

    def _zero_between(self, start: int, end: int) -> bool:
        while start < end:
            kind, _, run = self._find(start, end - start)
            if kind is not _ZERO and not (kind is _UNALLOCATED and not self._backed_from(start)):
                return False
            start += run
        return True

    def zero_some(self, offset: int, length: int) -> int:
        size, unit = self._shape.cluster_size, self._unit
        inside, end = offset & self._shape.cluster_mask, offset + length
        if not inside and (length >= size or end == self._disk.size):
            return super().zero_some(offset, length)
        stop = min(end, offset - inside + size)
        whole = stop - stop % unit if stop < self._disk.size else stop
        if offset % unit or whole <= offset:
            return super().zero_some(offset, min(stop, offset - offset % unit + unit) - offset)
        nothing_below = self._disk.backing is None and self._disk.header.backing_file is None
        if nothing_below and self._zero_between(offset, whole):
            return whole - offset
        raw = self._disk.header.autoclear & DATA_FILE_RAW
        if raw or not self._map.zero(offset, whole - offset):
            self._disk.write(offset, bytes(whole - offset))
        return whole - offset
