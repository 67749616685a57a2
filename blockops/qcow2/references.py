"""Every reference to a host cluster that an image contains, counted from its tables alone.

What the refcounts of an image should be follows from its other tables; this reads those and believes no
refcount.  It is strict, for what it counts is written: the first entry that the format does not allow, a
reference beyond the end of the file, or metadata that something else refers to, too, ends it with an
`ImageError`.  Every cluster of tables is read once, so it costs no more than the file.
"""

from array import array
from collections.abc import Iterable
from typing import Final

from blockops.errors import ImageError
from blockops.host.api import HostFile, read_exactly
from blockops.qcow2.bitmap_directory import Directory, read_bitmaps
from blockops.qcow2.entries import (
    ALL_BITS,
    COPIED,
    OFFSET_MASK,
    UNALLOCATED,
    ZERO,
    BadEntry,
    Compressed,
    Data,
    Zero,
    check_subclusters,
    decode_l1,
    decode_l2,
    decode_table,
)
from blockops.qcow2.geometry import ENTRY_SIZE
from blockops.qcow2.header import DATA_FILE, Header
from blockops.qcow2.snapshot_table import read_snapshots

# Counts are kept in pieces of so many clusters, made where something refers to one.
_PIECE_BITS: Final = 6
_PIECE_MASK: Final = (1 << _PIECE_BITS) - 1
_EMPTY_PIECE: Final = array("Q", bytes(8 << _PIECE_BITS))
_ALL_ONES: Final = 1
_BITMAP_RESERVED: Final = ALL_BITS & ~(OFFSET_MASK | _ALL_ONES)


class References:
    """How often each host cluster of an image is referred to."""

    def __init__(self, path: str, header: Header, file_size: int) -> None:
        self._path = path
        self.shape = header.geometry
        self._bits = header.geometry.cluster_bits
        self._end = header.geometry.clusters(file_size)
        self._pieces: dict[int, array[int]] = {}
        self._owner: dict[int, str] = {}
        # How many L1 entries lead to each L2 table, and which of them the guest sees.
        self.tables: dict[int, int] = {}
        self.active_tables: list[int] = []
        # Where clusters are in an external data file, each at its guest offset: where tables map from.
        self.external = bool(header.incompatible & DATA_FILE)
        self.starts: dict[int, int] = {}

    def get(self, cluster: int) -> int:
        """Return how often a host cluster number is referred to."""
        piece = self._pieces.get(cluster >> _PIECE_BITS)
        return 0 if piece is None else piece[cluster & _PIECE_MASK]

    def counts(self, first: int, count: int) -> "array[int]":
        """Return the counts of *count* clusters from *first*, both multiples of 64."""
        found = array("Q")
        for number in range(first >> _PIECE_BITS, (first + count) >> _PIECE_BITS):
            found.extend(self._pieces.get(number, _EMPTY_PIECE))
        return found

    def free(self, offset: int, length: int) -> bool:
        """Whether a range lies in the file and nothing refers to any of its clusters."""
        first, last = offset >> self._bits, (offset + length - 1) >> self._bits
        return last < self._end and not any(map(self.get, range(first, last + 1)))

    def extend(self, end: int) -> None:
        """Let the file end with the cluster before *end*."""
        self._end = max(self._end, end)

    def refer(self, structure: str, offset: int, length: int, times: int = 1) -> None:
        """Count *times* references to each cluster of a range of bytes; raises `ImageError`."""
        if not length:
            return
        first, last = offset >> self._bits, (offset + length - 1) >> self._bits
        if last >= self._end:
            raise ImageError(self._path, structure, offset, f"its {length} bytes end beyond the file")
        for cluster in range(first, last + 1):
            piece = self._pieces.get(cluster >> _PIECE_BITS)
            if piece is None:
                piece = self._pieces[cluster >> _PIECE_BITS] = array("Q", bytes(8 << _PIECE_BITS))
            piece[cluster & _PIECE_MASK] += times

    def own(self, structure: str, offset: int, length: int, times: int = 1) -> None:
        """Count as `refer` does clusters that nothing but this structure may use."""
        self.refer(structure, offset, length, times)
        for cluster in range(offset >> self._bits, (offset + length + self.shape.cluster_mask) >> self._bits):
            if (owner := self._owner.get(cluster)) is not None:
                problem = f"the {owner} lies there, too"
                raise ImageError(self._path, structure, cluster << self._bits, problem)
            self._owner[cluster] = structure

    def settle(self, times: dict[int, int]) -> None:
        """Raise `ImageError` where metadata has further references; *times*: those that it may have."""
        for cluster, structure in self._owner.items():
            if self.get(cluster) != times.get(cluster << self._bits, 1):
                problem = "something else refers to its cluster, too"
                raise ImageError(self._path, structure, cluster << self._bits, problem)

    def blocks(self, block_bits: int) -> list[int]:
        """Return, ascending, which refcount blocks of 2***block_bits* counts hold a count that is not 0."""
        return sorted({number >> (block_bits - _PIECE_BITS) for number in self._pieces})


def count_references(file: HostFile, header: Header) -> References:
    """Count what all tables but the refcounts' own refer to; raises `ImageError` for the first bad entry."""
    found = References(file.path, header, file.size())
    walk = _Walk(file, header, found)
    found.own("header", 0, header.geometry.cluster_size)
    walk.add_l1("L1 table", header.l1_offset, header.l1_entries, active=True)
    table = read_snapshots(file, header)
    found.own("snapshot table", header.snapshots_offset, table.length)
    for snapshot in table.snapshots:
        if not snapshot.complete:
            problem = f"snapshot {snapshot.id} has less extra data than version 3 demands"
            raise ImageError(file.path, "snapshot table", header.snapshots_offset, problem)
        walk.add_l1(f"L1 table of snapshot {snapshot.id}", snapshot.l1_offset, snapshot.l1_entries)
    for offset, times in found.tables.items():
        walk.add_l2(offset, times)
    if (directory := read_bitmaps(file, header)) is not None:
        walk.add_bitmaps(directory)
    found.settle(found.tables)
    return found


class _Walk:
    """Goes from table to table."""

    def __init__(self, file: HostFile, header: Header, found: References) -> None:
        self._file = file
        self._shape = header.geometry
        self._found = found

    def add_l1(self, structure: str, offset: int, count: int, *, active: bool = False) -> None:
        """Count an L1 table and note the L2 tables that it leads to."""
        self._found.own(structure, offset, count * ENTRY_SIZE)
        for index, entry in self._entries(structure, offset, count * ENTRY_SIZE):
            try:
                pointer = decode_l1(entry, self._shape)
            except BadEntry as bad:
                raise self._bad(structure, offset + index * ENTRY_SIZE, bad) from bad
            if pointer is not None:
                self._found.tables[pointer.host] = self._found.tables.get(pointer.host, 0) + 1
                self._found.starts[pointer.host] = index << self._shape.cluster_bits + self._shape.l2_bits
                if active and self._found.tables[pointer.host] == 1:
                    self._found.active_tables.append(pointer.host)

    def add_l2(self, offset: int, times: int) -> None:
        """Count an L2 table and the clusters that it names, *times* each."""
        self._found.own("L2 table", offset, self._shape.cluster_size, times)
        words = self._shape.l2_words
        for index, entry, bitmap in self._l2_entries(offset):
            if self._found.external:
                self._check_external(offset, index, entry)
            try:
                if words > 1:
                    check_subclusters(entry, bitmap, self._shape)
                mapping = UNALLOCATED if self._found.external else decode_l2(entry, self._shape)
            except BadEntry as bad:
                raise self._bad("L2 table", offset + index * words * ENTRY_SIZE, bad) from bad
            match mapping:
                case Data(host) | Zero(int() as host):
                    self._found.refer("data cluster", host, self._shape.cluster_size, times)
                case Compressed(host, length):
                    self._found.refer("compressed cluster", host, length, times)
                case _:
                    pass

    def _check_external(self, table: int, index: int, entry: int) -> None:
        """Raise `ImageError` where an entry names another place in the data file than the guest's."""
        guest = self._found.starts[table] + (index << self._shape.cluster_bits)
        if entry & OFFSET_MASK not in (0, guest) or entry & ~(OFFSET_MASK | COPIED | ZERO):
            where = table + index * self._shape.l2_words * ENTRY_SIZE
            problem = f"{entry:#018x} cannot stand for {guest:#x} in an external data file"
            raise ImageError(self._file.path, "L2 table", where, problem)

    def _l2_entries(self, offset: int) -> Iterable[tuple[int, int, int]]:
        """Return index and both words of an L2 table's entries that say anything."""
        data, words = self._read("L2 table", offset, self._shape.cluster_size), self._shape.l2_words
        entries = decode_table(data)
        bitmaps = entries[1::2] if words > 1 else entries
        pairs = zip(entries[::words], bitmaps, strict=True)
        return ((index, entry, bitmap) for index, (entry, bitmap) in enumerate(pairs) if entry or bitmap)

    def add_bitmaps(self, directory: Directory) -> None:
        """Count the bitmap directory, the bitmaps' tables and their clusters."""
        self._found.own("bitmap directory", directory.offset, directory.size)
        for bitmap in directory.bitmaps:
            structure, length = f"table of bitmap {bitmap.name}", bitmap.table_entries * ENTRY_SIZE
            if bitmap.table_offset & self._shape.cluster_mask:
                raise ImageError(self._file.path, structure, bitmap.table_offset, "it is not aligned")
            self._found.own(structure, bitmap.table_offset, length)
            for index, entry in self._entries(structure, bitmap.table_offset, length):
                host = entry & OFFSET_MASK
                if (
                    entry & _BITMAP_RESERVED
                    or host & self._shape.cluster_mask
                    or (host and entry & _ALL_ONES)
                ):
                    where = bitmap.table_offset + index * ENTRY_SIZE
                    raise ImageError(self._file.path, structure, where, f"there cannot be {entry:#018x}")
                if host:
                    self._found.own("bitmap data", host, self._shape.cluster_size)

    def _entries(self, structure: str, offset: int, length: int) -> Iterable[tuple[int, int]]:
        """Return index and value of the entries of a table that are not zero."""
        data = self._read(structure, offset, length)
        return ((index, entry) for index, entry in enumerate(decode_table(data)) if entry)

    def _read(self, structure: str, offset: int, length: int) -> bytes:
        data = read_exactly(self._file, offset, length) if length else b""
        if len(data) < length:
            problem = f"the file ends after {len(data)} of its {length} bytes"
            raise ImageError(self._file.path, structure, offset, problem)
        return data

    def _bad(self, structure: str, where: int, bad: BadEntry) -> ImageError:
        return ImageError(self._file.path, structure, where, str(bad))
