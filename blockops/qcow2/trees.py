"""A tree of clusters: an L1 table, the L2 tables that it leads to, and what those name.

The active tree and those of internal snapshots share clusters; a cluster is counted once for every way from
an L1 table to it.  The copied flag is kept in the active tree only (spec: "Snapshots").
"""

import contextlib
from array import array
from collections.abc import Iterator

from blockops.errors import BlockError, ImageError
from blockops.qcow2.durable import DurableFile
from blockops.qcow2.entries import (
    COMPRESSED,
    COPIED,
    OFFSET_MASK,
    BadEntry,
    Compressed,
    Data,
    Zero,
    decode_l1,
    decode_l2,
)
from blockops.qcow2.geometry import ENTRY_SIZE, Geometry
from blockops.qcow2.refcounts import Refcounts
from blockops.qcow2.table_cache import RootTable, Table, TableCache
from blockops.units import HostOffset

Run = tuple[HostOffset, int]


class Trees:
    """The trees of one open image.  An L1 table is an array of its entries."""

    def __init__(self, file: DurableFile, shape: Geometry, l2: TableCache, refcounts: Refcounts) -> None:
        self._file = file
        self._shape = shape
        self._l2 = l2
        self._refcounts = refcounts

    def runs(self, l1: "array[int]") -> Iterator[Run]:
        """Yield what a tree refers to, host clusters that lie together as one; raises `ImageError`."""
        first, count = HostOffset(0), 0
        for host, clusters in self._single(l1):
            if count and host == first + (count << self._shape.cluster_bits):
                count += clusters
                continue
            if count:
                yield first, count
            first, count = host, clusters
        if count:
            yield first, count

    def _single(self, l1: "array[int]") -> Iterator[Run]:
        for table in self._tables(l1):
            yield table.offset, 1
            for index, entry in enumerate(table.entries[:: self._shape.l2_words]):
                if entry:
                    yield from self._of_entry(table, index, entry)

    def _tables(self, l1: "array[int]") -> Iterator[Table]:
        # Every L2 table of a sound tree is in the file once: there are no more of them than clusters.
        allowance = self._shape.clusters(self._file.end)
        for entry in l1:
            try:
                pointer = decode_l1(entry, self._shape)
            except BadEntry as bad:
                raise ImageError(self._file.path, "L1 table", None, str(bad)) from bad
            if pointer is None:
                continue
            if not allowance:
                raise ImageError(
                    self._file.path, "L1 table", None, "it leads to more L2 tables than the file has"
                )
            allowance -= 1
            yield self._l2.load(pointer.host)

    def _of_entry(self, table: Table, index: int, entry: int) -> Iterator[Run]:
        try:
            mapping = decode_l2(entry, self._shape)
        except BadEntry as bad:
            where = table.offset + index * self._shape.l2_words * ENTRY_SIZE
            raise ImageError(self._file.path, "L2 table", where, str(bad)) from bad
        match mapping:
            case Data(host) | Zero(int() as host):
                yield host, 1
            case Compressed(host, length):
                first = HostOffset(host & ~self._shape.cluster_mask)
                yield first, self._shape.clusters(host + length - first)
            case _:
                pass

    # ------------------------------------------------------------------------------------------ changing

    def increase(self, l1: "array[int]") -> None:
        """Count everything in a tree once more; after an error nothing is.

        Raises `UnsupportedFeature` where a count is not wide enough, and errors as `runs`.
        """
        done: list[Run] = []
        try:
            for host, count in self.runs(l1):
                self._refcounts.increase(host >> self._shape.cluster_bits, count)
                done.append((host, count))
        except BaseException:
            with contextlib.suppress(BlockError):
                for host, count in reversed(done):
                    self._refcounts.give_back(host, count)
            raise

    def mark(self, table: RootTable) -> None:
        """Make the copied flags of the active tree right, as the refcounts are."""
        for index, entry in enumerate(table.entries):
            if entry and (right := self._flagged(entry)) != entry:
                table.put(index, right)
        self.mark_tables(table.entries)

    def mark_tables(self, l1: "array[int]") -> None:
        """Make the copied flags in a tree's L2 tables right."""
        for table in self._tables(l1):
            self._mark_l2(table)

    def _mark_l2(self, table: Table) -> None:
        words = self._shape.l2_words
        for index, entry in enumerate(table.entries[::words]):
            if entry and not entry & COMPRESSED and (right := self._flagged(entry)) != entry:
                table.entries[index * words] = right
                self._l2.touch(table, index * words, 1)

    def _flagged(self, entry: int) -> int:
        host = entry & OFFSET_MASK
        single = host and self._refcounts.get(host >> self._shape.cluster_bits) == 1
        return entry | COPIED if single else entry & ~COPIED
