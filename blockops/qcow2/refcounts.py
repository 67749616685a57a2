"""Host clusters: who is counted, who is free, where the next one comes from.

Allocation bumps a pointer that starts behind the last cluster that is counted, so that runs are contiguous:
at the end of the file or, on a volume, which ends somewhere else, before it.  Clusters freed through this
handle are used again first; older gaps are not looked for.  A new cluster is counted before anything
refers to it, and `release` takes effect only after everything that referred to it is durably gone
(`apply_released`), so a crash in between leaks and never shares (spec: "Host cluster management").
"""

import heapq
from array import array
from functools import cache, partial

from blockops.errors import HostError, ImageError, UnsupportedFeature
from blockops.qcow2.anchor import Anchor
from blockops.qcow2.durable import DurableFile
from blockops.qcow2.entries import BadEntry, decode_refcount_pointer, decode_refcounts, encode_refcounts
from blockops.qcow2.geometry import ENTRY_SIZE, MAX_REFCOUNT_TABLE_BYTES
from blockops.qcow2.table_cache import Codec, RootTable, Table, TableCache
from blockops.units import MIB, HostOffset, round_up

# Bounds the memory for refcount blocks; 4 MiB of 16-bit counts cover 128 GiB of 64 KiB clusters.
CACHE_BYTES = 4 * MIB
FEWEST_BLOCKS = 8


@cache
def _codec(order: int) -> Codec:
    return Codec(1 << order, partial(decode_refcounts, order=order), partial(encode_refcounts, order=order))


class Refcounts:
    """The reference counts of an image that is open for writing."""

    def __init__(self, file: DurableFile, anchor: Anchor) -> None:
        shape = anchor.header.geometry
        self._file = file
        self._anchor = anchor
        self._shape = shape
        capacity = max(FEWEST_BLOCKS, CACHE_BYTES // shape.cluster_size)
        self.blocks = TableCache(
            file, "refcount block", shape.cluster_size, capacity, _codec(shape.refcount_order)
        )
        self.table = RootTable(file, "refcount table", self._announce)
        # A block is durable before the table names it; the other order would name garbage.
        self.table.depends_on(self.blocks)
        self._loaded = False
        self._placed = False
        self._next = shape.clusters(file.end)
        self._free: list[int] = []
        self._released: list[tuple[int, int]] = []

    @property
    def waiting(self) -> bool:
        """Whether clusters wait for `apply_released`."""
        return bool(self._released)

    def get(self, cluster: int) -> int:
        """Return the reference count of a host cluster number."""
        block = self._block(cluster >> self._shape.block_bits)
        return 0 if block is None else block.entries[cluster & self._shape.block_mask]

    # -------------------------------------------------------------------------------------- taking

    def allocate(self, count: int) -> tuple[HostOffset, int]:
        """Count up to *count* contiguous free clusters once; return the first's offset and how many.

        At least one.  Raises `HostError` or `ImageError`; then at most a cluster is leaked.
        """
        self._find_the_end()
        first, granted = self._take_freed(count) if self._free else self._take_new(count)
        return HostOffset(first << self._shape.cluster_bits), granted

    def allocate_contiguous(self, count: int) -> HostOffset:
        """Count *count* contiguous free clusters once and return the first's offset; errors as `allocate`."""
        self._find_the_end()
        bits = self._shape.block_bits
        while True:
            first = self._next
            indexes = range(first >> bits, ((first + count - 1) >> bits) + 1)
            missing = next((index for index in indexes if self._block(index) is None), None)
            if missing is not None:
                self._new_block(missing)
            elif (used := self._last_used(first, count)) is not None:
                self._next = used + 1
            else:
                break
        self._next = first + count
        self._no_longer_free(first, count)
        self._count_run(first, count)
        return HostOffset(first << self._shape.cluster_bits)

    def _take_new(self, count: int) -> tuple[int, int]:
        shape = self._shape
        while True:
            index = self._next >> shape.block_bits
            block = self._block(index)
            if block is None:
                self._new_block(index)
                continue
            first = self._next
            slot = first & shape.block_mask
            run = _zeros_from(block.entries, slot, count)
            if run:
                break
            # Counted by somebody though it is past the end of the file: a leak that we must not share.
            self._next += 1
        self._next = first + run
        if self._free:
            self._no_longer_free(first, run)
        self._put(block, slot, run, 1)
        return first, run

    def _no_longer_free(self, first: int, count: int) -> None:
        """Forget that clusters were freed: the end of the image may have been found before them."""
        if any(cluster >= first for cluster in self._free):
            self._free = [cluster for cluster in self._free if not first <= cluster < first + count]
            heapq.heapify(self._free)

    def _take_freed(self, count: int) -> tuple[int, int]:
        first = self._free[0]
        block = self._existing_block(first)
        run = 0
        room = min(count, self._shape.block_entries - (first & self._shape.block_mask))
        while run < room and self._free and self._free[0] == first + run:
            heapq.heappop(self._free)
            run += 1
        self._put(block, first & self._shape.block_mask, run, 1)
        return first, run

    def can_grow(self, cluster: int) -> bool:
        """Whether a cluster can be counted once more."""
        return self.get(cluster) < self._shape.max_refcount

    def increase(self, first: int, count: int) -> None:
        """Count each of *count* clusters that are in use once more; errors as `allocate`.

        All or, after an error, those before some cluster.  Raises `UnsupportedFeature` where the counts
        are not wide enough.
        """
        while count:
            block = self._existing_block(first)
            slot = first & self._shape.block_mask
            run = min(count, self._shape.block_entries - slot)
            self._increase_in(block, first, slot, run)
            first, count = first + run, count - run

    def _increase_in(self, block: Table, first: int, slot: int, run: int) -> None:
        counts = block.entries[slot : slot + run]
        most = max(counts)
        if min(counts) == 0:
            raise self._bad_count(first + counts.index(0), "a cluster in use is counted 0 times")
        if most >= self._shape.max_refcount:
            width = f"{self._shape.refcount_bits}-bit refcounts"
            raise UnsupportedFeature(
                self._file.path, f"more than {most} references to a cluster with {width}"
            )
        block.entries[slot : slot + run] = array(counts.typecode, [one + 1 for one in counts])
        self.blocks.touch(block, slot, run)

    def _last_used(self, first: int, count: int) -> int | None:
        """Return the last cluster of a range that is counted already, if any."""
        return next((c for c in range(first + count - 1, first - 1, -1) if self.get(c)), None)

    def _count_run(self, first: int, count: int) -> None:
        while count:
            slot = first & self._shape.block_mask
            run = min(count, self._shape.block_entries - slot)
            self._put(self._existing_block(first), slot, run, 1)
            first, count = first + run, count - run

    # ------------------------------------------------------------------------------------- giving back

    def give_back(self, offset: HostOffset, count: int) -> None:
        """Free clusters that nothing has ever referred to, in memory or in the file; errors as `allocate`."""
        first = offset >> self._shape.cluster_bits
        while count:
            done = self._drop_in_one_block(first, count)
            first, count = first + done, count - done

    def release(self, offset: HostOffset, count: int) -> None:
        """Give up one reference to each of *count* clusters, from the next `apply_released` on."""
        first = offset >> self._shape.cluster_bits
        if self._released and sum(self._released[-1]) == first:
            first, before = self._released.pop()
            count += before
        self._released.append((first, count))

    def apply_released(self) -> None:
        """Count down what was released; to be called when no durable reference to it is left.

        After a `HostError` the rest waits for the next call; after an `ImageError` it is left alone.
        """
        while self._released:
            first, count = self._released.pop()
            try:
                done = self._drop_in_one_block(first, count)
            except HostError:
                self._released.append((first, count))
                raise
            if done < count:
                self._released.append((first + done, count - done))

    def _drop_in_one_block(self, first: int, count: int) -> int:
        """Count down the clusters that the first one's block counts, or none; return how many."""
        block = self._existing_block(first)
        slot = first & self._shape.block_mask
        count = min(count, self._shape.block_entries - slot)
        for place in range(slot, slot + count):
            references = block.entries[place]
            if references == 0:
                raise self._bad_count(first + place - slot, "a cluster in use is counted 0 times")
            block.entries[place] = references - 1
            if references == 1:
                heapq.heappush(self._free, first + place - slot)
        self.blocks.touch(block, slot, count)
        return count

    # ------------------------------------------------------------------------------------------ blocks

    def _put(self, block: Table, slot: int, run: int, references: int) -> None:
        if run == 1:
            block.entries[slot] = references
        else:
            block.entries[slot : slot + run] = array(block.entries.typecode, [references]) * run
        self.blocks.touch(block, slot, run)

    def _block(self, index: int) -> Table | None:
        """Return the block with this index in the refcount table, or None where there is none yet."""
        if not self._loaded:
            self._load_table()
        entries = self.table.entries
        entry = entries[index] if index < len(entries) else 0
        if entry == 0:
            return None
        return self.blocks.tables.get(entry) or self._load_block(index, entry)

    def _existing_block(self, cluster: int) -> Table:
        block = self._block(cluster >> self._shape.block_bits)
        if block is None:
            raise self._bad_count(cluster, "a cluster in use has no refcount block")
        return block

    def _load_table(self) -> None:
        header = self._anchor.header
        count = header.refcount_table_clusters * self._shape.cluster_size // ENTRY_SIZE
        self.table.load(header.refcount_table_offset, count)
        self._loaded = True

    def _find_the_end(self) -> None:
        """Find out, once, where the image ends, which need not be where the file does."""
        if self._placed:
            return
        if self._next and not self.get(self._next - 1):
            self._next = self._behind_the_last()
        self._placed = True

    def _behind_the_last(self) -> int:
        """Return the number of the first cluster behind all that are counted."""
        for index in reversed(range(len(self.table.entries))):
            block = self._block(index)
            if block is not None and any(block.entries):
                slot = next(slot for slot in reversed(range(len(block.entries))) if block.entries[slot])
                return (index << self._shape.block_bits) + slot + 1
        return self._next

    def _load_block(self, index: int, entry: int) -> Table:
        try:
            offset = decode_refcount_pointer(entry, self._shape)
        except BadEntry as bad:
            where = self.table.offset + index * ENTRY_SIZE
            raise ImageError(self._file.path, "refcount table", where, str(bad)) from bad
        return self.blocks.load(HostOffset(offset or 0))

    def _bad_count(self, cluster: int, problem: str) -> ImageError:
        offset = cluster << self._shape.cluster_bits
        return ImageError(self._file.path, "refcount of the cluster", offset, problem)

    def _new_block(self, index: int) -> None:
        """Make a refcount block; where it falls into the range that it counts, it counts itself."""
        shape = self._shape
        if index >= len(self.table.entries):
            self._grow_table(index)
        inside = self._next >> shape.block_bits == index
        cluster = self._next if inside else self._take_new(1)[0]
        offset = HostOffset(cluster << shape.cluster_bits)
        if self._block(index) is not None:
            # Growing the table, or looking for a place, has made this very block on the way.
            if not inside:
                self.give_back(offset, 1)
            return
        entries = decode_refcounts(bytes(shape.cluster_size), shape.refcount_order)
        if inside:
            entries[cluster & shape.block_mask] = 1
            self._next += 1
            self._no_longer_free(cluster, 1)
        self.blocks.add(offset, entries)
        self.table.put(index, offset)

    # ------------------------------------------------------------------------------------------- table

    def _grow_table(self, index: int) -> None:
        """Move the refcount table to where it has room for *index*, and for the growth itself."""
        old = self.table.entries
        old_offset = self.table.offset
        entries = array("Q", old)
        entries.extend(array("Q", [0]) * (self._capacity_for(index, len(old)) - len(old)))
        # In memory first, at its old place: the blocks that count the new place are found through it.
        grown = entries
        self.table.move(old_offset, grown)
        clusters = self._shape.clusters(len(grown) * ENTRY_SIZE)
        try:
            offset = self.allocate_contiguous(clusters)
        except BaseException:
            self.table.move(old_offset, old)
            raise
        self.table.move(offset, grown)
        self.release(old_offset, self._shape.clusters(len(old) * ENTRY_SIZE))

    def _capacity_for(self, index: int, current: int) -> int:
        """Return how many entries a grown table gets: at least twice as many, whole clusters of them."""
        shape = self._shape
        capacity = max(2 * current, round_up(index + 1, shape.cluster_size // ENTRY_SIZE))
        while (self._next + 2 * shape.clusters(capacity * ENTRY_SIZE) + 2) >> shape.block_bits >= capacity:
            capacity *= 2
        if capacity * ENTRY_SIZE > max(MAX_REFCOUNT_TABLE_BYTES, shape.cluster_size):
            raise UnsupportedFeature(self._file.path, f"a refcount table of {capacity} entries")
        return capacity

    def _announce(self, offset: HostOffset, count: int) -> None:
        clusters = count * ENTRY_SIZE // self._shape.cluster_size
        self._anchor.update(refcount_table_offset=offset, refcount_table_clusters=clusters)


def _zeros_from(entries: "array[int]", slot: int, count: int) -> int:
    """Return how many of at most *count* entries from *slot* are zero without a gap."""
    if count == 1:
        return 0 if entries[slot] else 1
    run = entries[slot : slot + count]
    if run.count(0) == len(run):
        return len(run)
    return next(place for place, entry in enumerate(run) if entry)
