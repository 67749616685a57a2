"""The guest's way through an image: L1 tables, their L2 tables, and the clusters that those name.

The active L1 table and those of internal snapshots may share L2 tables.  So every L2 table is read
once, and each of its entries counts as many references as L1 entries lead to the table.  The copied
flag is a promise of the active tables only (specification: "L1 table entry", "L2 table entry").
"""

from collections.abc import Iterable
from typing import Final

from blockops.qcow2.check.ledger import Ledger
from blockops.qcow2.check.report import Findings
from blockops.qcow2.check.tables import Reader, live, stretches
from blockops.qcow2.entries import (
    ALL_BITS,
    ALLOCATED,
    COMPRESSED,
    COPIED,
    OFFSET_MASK,
    ZERO,
    BadEntry,
    Compressed,
    decode_l2,
)
from blockops.qcow2.geometry import ENTRY_SIZE
from blockops.qcow2.header import DATA_FILE, Header

_L1_RESERVED: Final = ALL_BITS & ~(COPIED | OFFSET_MASK)
_L2_RESERVED: Final = ALL_BITS & ~(COPIED | COMPRESSED | ZERO | OFFSET_MASK)

_BEYOND: Final = "it is beyond the end of the file"
_UNALIGNED: Final = "it is not aligned to a cluster"
_RESERVED_BITS: Final = "reserved bits are set"


class GuestTables:
    """Collects L2 tables from L1 tables, then counts what they refer to."""

    __slots__ = (
        "_active", "_external", "_findings", "_ledger", "_reader", "_shape", "_starts", "_times",
        "allocated",
    )  # fmt: skip

    def __init__(self, header: Header, reader: Reader, ledger: Ledger, findings: Findings) -> None:
        self._shape = header.geometry
        self._external = bool(header.incompatible & DATA_FILE)
        self._starts: dict[int, int] = {}
        self._reader = reader
        self._ledger = ledger
        self._findings = findings
        self._times: dict[int, int] = {}
        self._active: dict[int, int] = {}
        self.allocated = 0

    def add_l1(self, name: str, offset: int, count: int, *, active: bool) -> None:
        """Count the references of an L1 table of *count* entries, and remember its L2 tables."""
        length = count * ENTRY_SIZE
        if not length:
            return
        data = self._reader.read(offset, length)
        if not self._ledger.own(name, offset, length):
            self._findings.add(name, offset, None, _BEYOND)
        for index, entry in live(data):
            for problem in self._add_l2(index, entry, active):
                self._findings.add(f"{name} entry {index}", offset + ENTRY_SIZE * index, entry, problem)

    def _add_l2(self, index: int, entry: int, active: bool) -> Iterable[str]:
        """Remember the L2 table that an L1 entry leads to; return what is wrong with the entry."""
        offset = entry & OFFSET_MASK
        if entry & _L1_RESERVED:
            yield _RESERVED_BITS
        elif not offset:
            yield "it has flags but leads nowhere"
        if not offset:
            return
        self._times[offset] = self._times.get(offset, 0) + 1
        self._starts[offset] = index << self._shape.cluster_bits + self._shape.l2_bits
        if active:
            self._active[offset] = self._active.get(offset, 0) + 1
            if offset < self._reader.size:
                yield from self._wrong_promise(entry, offset)

    def _wrong_promise(self, entry: int, offset: int) -> Iterable[str]:
        """Return what is wrong with the copied flag: it says that the refcount is exactly one."""
        refcount = self._ledger.refcount(offset >> self._shape.cluster_bits)
        if (refcount == 1) != bool(entry & COPIED):
            yield f"the copied flag is {'set' if entry & COPIED else 'clear'} but the refcount is {refcount}"

    def count_clusters(self) -> None:
        """Count the references to all L2 tables, and theirs to the guest's clusters."""
        for offset, times in self._times.items():
            if not self._ledger.own("L2 table", offset, self._shape.cluster_size, times):
                self._findings.add("L2 table", offset, None, _BEYOND)
            if offset & self._shape.cluster_mask:
                self._findings.add("L2 table", offset, None, _UNALIGNED)
            data = self._reader.read(offset, self._shape.cluster_size)
            self._count_entries(offset, data, times, self._active.get(offset, 0))

    def _count_entries(self, table: int, data: bytes, times: int, active: int) -> None:
        """Count the references of one L2 table.

        Nearly all entries are plain: aligned, copied, to a cluster with refcount one.  With the copied
        flag flipped such an entry is just an offset; whatever else is wrong makes it too large, not
        aligned, or lets it meet another refcount.
        """
        if self._external:
            self._count_external(table, data, active)
            return
        if self._shape.extended_l2:
            self._count_extended(table, data, times, active)
            return
        ledger = self._ledger
        left, stored, covered = ledger.left, ledger.stored, ledger.covered
        bits, mask = self._shape.cluster_bits, self._shape.cluster_mask
        for first, entries in stretches(data):
            for index, entry in enumerate(entries, first):
                if entry:
                    cluster = (entry ^ COPIED) >> bits
                    if 0 < cluster < covered and stored[cluster] == 1 and not entry & mask:
                        left[cluster] -= times
                        self.allocated += active
                    else:
                        self._count_unusual(table + ENTRY_SIZE * index, index, entry, times, active)

    def _count_external(self, table: int, data: bytes, active: int) -> None:
        """Look through an L2 table of an image whose clusters are in a file of their own, not counted."""
        words = self._shape.l2_words
        for first, entries in stretches(data):
            for at in range(0, len(entries) + 1 - words, words):
                entry, index = entries[at], (first + at) // words
                guest = self._starts[table] + (index << self._shape.cluster_bits)
                self.allocated += active if entry & (OFFSET_MASK | COPIED) else 0
                bitmap = entries[at + 1] if words > 1 else 0
                problem = _misplaced(entry, guest) or _contradiction(
                    entry, bitmap, entry & (OFFSET_MASK | COPIED)
                )
                if problem:
                    where = table + ENTRY_SIZE * (first + at)
                    self._findings.add(f"L2 entry {index}", where, entry, problem)

    def _count_extended(self, table: int, data: bytes, times: int, active: int) -> None:
        """Count the references of an L2 table whose entries have two words (spec: "Extended L2 Entries")."""
        for first, words in stretches(data):
            for at in range(0, len(words) - 1, 2):
                entry, bitmap = words[at], words[at + 1]
                where, index = table + ENTRY_SIZE * (first + at), (first + at) // 2
                if entry:
                    self._count_unusual(where, index, entry, times, active)
                if problem := _contradiction(entry, bitmap, entry & OFFSET_MASK):
                    self._findings.add(f"L2 entry {index}", where + ENTRY_SIZE, bitmap, problem)

    def _count_unusual(self, where: int, index: int, entry: int, times: int, active: int) -> None:
        count = self._count_compressed if entry & COMPRESSED else self._count_standard
        for problem in count(entry, times, active):
            self._findings.add(f"L2 entry {index}", where, entry, problem)

    def _count_standard(self, entry: int, times: int, active: int) -> Iterable[str]:
        """Count the reference of a standard cluster descriptor; return what is wrong with it."""
        if entry & _L2_RESERVED:
            yield _RESERVED_BITS
        elif entry & ZERO and self._shape.version < 3:
            yield "the zero flag is set, which version 2 does not have"
        elif entry & ZERO and self._shape.extended_l2:
            yield "the zero flag is set, which extended entries do not have"
        offset = entry & OFFSET_MASK
        if not offset:
            return
        self.allocated += active
        if offset & self._shape.cluster_mask:
            yield _UNALIGNED
        if not self._ledger.refer(offset, self._shape.cluster_size, times):
            yield _BEYOND
        elif active:
            yield from self._wrong_promise(entry, offset)

    def _count_compressed(self, entry: int, times: int, active: int) -> Iterable[str]:
        """Count the references of a compressed cluster, which may touch several host clusters."""
        if entry & COPIED:
            yield "the copied flag is set, which compressed clusters do not have"
        self.allocated += active
        try:
            mapping = decode_l2(entry & ~COPIED, self._shape)
        except BadEntry as error:
            yield str(error)
            return
        if isinstance(mapping, Compressed) and not self._ledger.refer(mapping.host, mapping.length, times):
            yield _BEYOND


def _misplaced(entry: int, guest: int) -> str | None:
    """Return what is wrong with an entry that stands for the guest offset *guest* in a data file."""
    if entry & COMPRESSED:
        return "a compressed cluster cannot be in an external data file"
    if entry & _L2_RESERVED:
        return _RESERVED_BITS
    if entry & (OFFSET_MASK | COPIED) and entry & OFFSET_MASK != guest:
        return f"it stands for {guest:#x} and must be there in the external data file"
    if entry & OFFSET_MASK and not entry & COPIED:
        return "the copied flag is clear but nothing else can refer to the cluster"
    return None


def _contradiction(entry: int, bitmap: int, place: int) -> str | None:
    """Return what is wrong with the subcluster bitmap of an extended entry; *place* is 0 for none."""
    if entry & COMPRESSED:
        return "a compressed cluster has no subclusters" if bitmap else None
    if bitmap & bitmap >> 32:
        return "a subcluster is both allocated and zero"
    if bitmap & ALLOCATED and not place:
        return "subclusters are allocated in a cluster that is not"
    return None
