"""Refcounts as a ledger: what the image states of each cluster, less every reference found to it.

Zero is right.  What is left above zero is a leak: counted, but used by nothing.  Below zero is a
corruption: used more often than counted, so that somebody will take the cluster for free.
"""

from collections.abc import Iterator
from typing import Final

from blockops.errors import UnsupportedFeature
from blockops.qcow2.check.report import MOST_FINDINGS, Finding, Findings
from blockops.qcow2.check.tables import Reader, live
from blockops.qcow2.entries import decode_refcounts
from blockops.qcow2.geometry import ENTRY_SIZE, Geometry
from blockops.qcow2.header import Header

# A ledger of this many clusters takes about 1 GiB; with clusters of 64 KiB that is a file of 4 TiB.
MOST_CLUSTERS: Final = 1 << 26

# qcow2 specification, "Refcount table entry": bits 0 to 8 are reserved, the rest is the block's offset.
_RESERVED: Final = 0x1FF


class Ledger:
    """The stored refcounts of an open image, and the references counted against them."""

    __slots__ = (
        "_cluster_size", "_findings", "_owned", "_size", "_table", "_table_offset", "_uncovered",
        "bits", "clusters", "covered", "left", "stored",
    )  # fmt: skip

    def __init__(self, header: Header, reader: Reader, findings: Findings) -> None:
        shape = header.geometry
        self.bits = shape.cluster_bits
        self.clusters = shape.clusters(reader.size)
        self._cluster_size = shape.cluster_size
        self._size = reader.size
        self._findings = findings
        self._table_offset = header.refcount_table_offset
        self._table = dict(live(reader.read(self._table_offset, header.refcount_table_clusters << self.bits)))
        for index, entry in self._table.items():
            if problem := self._flaw(entry):
                self._blame(index, entry, problem)
        self.stored = self._read_stored(shape, reader)
        self.covered = len(self.stored)
        self.left = self.stored.copy()
        self._uncovered: dict[int, int] = {}
        self._owned: dict[int, tuple[str, int]] = {}

    def _read_stored(self, shape: Geometry, reader: Reader) -> list[int]:
        """Return the refcounts of the file's clusters, up to the end of the last refcount block."""
        stored: list[int] = []
        for index, entry in self._table.items():
            first = index << shape.block_bits
            if first >= self.clusters:
                break
            wanted = min(shape.block_entries, self.clusters - first)
            if first + wanted > MOST_CLUSTERS:
                raise UnsupportedFeature(
                    reader.path, f"checking a file of more than {MOST_CLUSTERS} clusters"
                )
            stored.extend([0] * (first - len(stored)))
            stored.extend(self._read_block(shape, reader, entry & ~_RESERVED, wanted))
        return stored

    def _read_block(self, shape: Geometry, reader: Reader, offset: int, wanted: int) -> list[int]:
        """Return *wanted* refcounts of a block; one that is not aligned counts nothing."""
        if offset & shape.cluster_mask:
            return [0] * wanted
        order = shape.refcount_order
        length = -(-(wanted << order) // 64) * 8
        data = reader.read(offset, length)
        return decode_refcounts(data.ljust(length, b"\0"), order)[:wanted].tolist()

    def refcount(self, cluster: int) -> int:
        """Return the stored refcount of a cluster; one that no refcount block covers has none."""
        return self.stored[cluster] if cluster < self.covered else 0

    def references(self, cluster: int) -> int:
        """Return how many references to a cluster have been counted so far."""
        if cluster < self.covered:
            return self.stored[cluster] - self.left[cluster]
        return self._uncovered.get(cluster, 0)

    def refer(self, offset: int, length: int, times: int = 1) -> bool:
        """Count a reference to each cluster of a range of bytes.

        False, and nothing is counted, where the range ends a cluster or more beyond the file's end:
        the last cluster of a file may be cut short, no more.
        """
        if offset + length - self._size >= self._cluster_size:
            return False
        for cluster in range(offset >> self.bits, ((offset + length - 1) >> self.bits) + 1):
            if cluster < self.covered:
                self.left[cluster] -= times
            else:
                self._uncovered[cluster] = self._uncovered.get(cluster, 0) + times
        return True

    def own(self, structure: str, offset: int, length: int, times: int = 1) -> bool:
        """Count as `refer` does, for clusters that nothing but *times* references may use."""
        if not self.refer(offset, length, times):
            return False
        for cluster in range(offset >> self.bits, ((offset + length - 1) >> self.bits) + 1):
            self._owned[cluster] = (structure, times)
        return True

    def count_blocks(self) -> None:
        """Count the references of the refcount table to its blocks; to be called last."""
        for index, entry in self._table.items():
            if self._flaw(entry):
                continue
            self.refer(entry, self._cluster_size)
            cluster = entry >> self.bits
            if self.references(cluster) != 1:
                self._owned.pop(cluster, None)
                self._blame(index, entry, "something else uses the refcount block too")

    def _flaw(self, entry: int) -> str | None:
        if entry & _RESERVED:
            return "reserved bits are set"
        if entry & (self._cluster_size - 1):
            return "the refcount block is not aligned to a cluster"
        if entry >= self._size:
            return "the refcount block is beyond the end of the file"
        return None

    def _blame(self, index: int, entry: int, problem: str) -> None:
        where = self._table_offset + ENTRY_SIZE * index
        self._findings.add(f"refcount table entry {index}", where, entry, problem)

    def settle(self) -> tuple[Finding, ...]:
        """Note every cluster that is used more often than counted; return those that are leaked."""
        for cluster in self._overdrawn():
            problem = f"its refcount is {self.refcount(cluster)} but {self.references(cluster)} refer to it"
            self._findings.add("cluster", cluster << self.bits, None, problem)
        for cluster, (structure, times) in self._owned.items():
            if self.refcount(cluster) > times and not self.left[cluster]:
                self._findings.add(
                    structure, cluster << self.bits, None, "something else uses its cluster too"
                )
        return tuple(self._leaks()) if any(self.left) else ()

    def _overdrawn(self) -> Iterator[int]:
        if any(self.left):
            yield from (cluster for cluster, rest in enumerate(self.left) if rest < 0)
        yield from sorted(self._uncovered)

    def _leaks(self) -> Iterator[Finding]:
        leaked = [cluster for cluster, rest in enumerate(self.left) if rest > 0]
        for cluster in leaked[:MOST_FINDINGS]:
            problem = f"its refcount is {self.stored[cluster]} but {self.references(cluster)} refer to it"
            yield Finding("cluster", cluster << self.bits, None, problem)
        if (rest := len(leaked) - MOST_FINDINGS) > 0:
            yield Finding("image", None, None, f"{rest} further clusters are leaked")

    def end(self) -> int:
        """Return the end in bytes of the last cluster that is counted or used, within the file."""
        last = self.covered - 1
        while last >= 0 and not self.stored[last] and not self.left[last]:
            last -= 1
        last = max(last, max((c for c in self._uncovered if c < self.clusters), default=0))
        return (last + 1) << self.bits
