"""Metadata in memory, and the order in which it reaches the file.

Tables are changed in memory and written back later.  What must be durable before what is data, not the
order of calls: `l2.depends_on(refcounts)` says that before an L2 table is written, everything dirty in
refcounts is written *and* the file is flushed.  So whatever survives a crash, nothing in the file
refers to something that is not there; at worst a cluster is counted that nobody refers to (a leak).

`TableCache` holds tables of one cluster (L2 tables, refcount blocks), `RootTable` a whole table that the
header points to (L1 table, refcount table).
"""

from array import array
from collections.abc import Callable
from typing import Protocol

from blockops.errors import BlockError, Effect, ImageError
from blockops.qcow2.durable import DurableFile
from blockops.qcow2.entries import decode_table, encode_table
from blockops.qcow2.geometry import ENTRY_SIZE
from blockops.units import SECTOR, HostOffset

_NEVER = 1 << 62


class Stage(Protocol):
    """Something dirty that others may have to wait for."""

    @property
    def dirty(self) -> bool:
        """Whether anything is not in the file yet."""

    def write_back(self) -> None:
        """Write what is dirty, after everything that it depends on is durable; not durable itself yet.

        After an error what was not written is still dirty.
        """


class Codec:
    """How one kind of table is stored: *bits* an entry, and the two conversions."""

    def __init__(
        self, bits: int, decode: Callable[[bytes], "array[int]"], encode: Callable[["array[int]"], bytes]
    ) -> None:
        self.bits = bits
        self.decode = decode
        self.encode = encode
        self.per_sector = SECTOR * 8 // bits


ENTRY_CODEC = Codec(ENTRY_SIZE * 8, decode_table, encode_table)


class Table:
    """One table in memory; entries in [low, high) differ from the file."""

    __slots__ = ("entries", "high", "low", "offset")

    def __init__(self, offset: HostOffset, entries: "array[int]") -> None:
        self.offset = offset
        self.entries = entries
        self.low = _NEVER
        self.high = 0

    def touch(self, first: int, count: int) -> None:
        """Note that *count* entries from *first* differ from the file."""
        self.low = min(self.low, first)
        self.high = max(self.high, first + count)

    def write_to(self, file: DurableFile, codec: Codec) -> None:
        """Write the sectors that hold what differs."""
        low = self.low // codec.per_sector * codec.per_sector
        high = min(-(-self.high // codec.per_sector) * codec.per_sector, len(self.entries))
        file.write(self.offset + low * codec.bits // 8, codec.encode(self.entries[low:high]))
        self.low, self.high = _NEVER, 0


def _settle(stages: list[Stage], file: DurableFile) -> None:
    """Make durable what *stages* hold, and with it all data written so far."""
    for stage in stages:
        stage.write_back()
    if stages and file.pending:
        file.flush()


class TableCache:
    """Tables of one cluster each, at most *capacity* of them, found by their offset.

    *tables* may be searched directly; whoever changes a table's entries must `touch` it afterwards and
    must not keep it across another `load` or `add`.
    """

    def __init__(
        self, file: DurableFile, structure: str, size: int, capacity: int, codec: Codec = ENTRY_CODEC
    ) -> None:
        self.tables: dict[int, Table] = {}
        self._file = file
        self._structure = structure
        self._size = size
        self._capacity = capacity
        self._codec = codec
        self._dirty: dict[int, Table] = {}
        self._after: list[Stage] = []

    def depends_on(self, *stages: Stage) -> None:
        """From now on write back only after all *stages* are durable."""
        self._after.extend(stages)

    @property
    def dirty(self) -> bool:
        """Whether any table differs from the file."""
        return bool(self._dirty)

    def load(self, offset: HostOffset) -> Table:
        """Return the table at *offset*; raises `ImageError` where the file ends before it does."""
        table = self.tables.get(offset)
        if table is None:
            self.make_room()
            data = self._file.read(offset, self._size)
            if len(data) < self._size:
                problem = f"the file ends after {len(data)} of its {self._size} bytes"
                raise ImageError(self._file.path, self._structure, offset, problem)
            table = self.tables[offset] = Table(offset, self._codec.decode(data))
        return table

    def add(self, offset: HostOffset, entries: "array[int]") -> Table:
        """Take in a new table at *offset* that the file does not hold yet."""
        self.make_room()
        table = self.tables[offset] = Table(offset, entries)
        self.touch(table, 0, len(entries))
        return table

    def touch(self, table: Table, first: int, count: int) -> None:
        """Note that *count* entries of *table* from *first* were changed."""
        table.touch(first, count)
        self._dirty[table.offset] = table

    def drop(self, offset: HostOffset) -> None:
        """Forget a table that is no longer in use."""
        self.tables.pop(offset, None)
        self._dirty.pop(offset, None)

    def write_back(self) -> None:
        if not self._dirty:
            return
        _settle(self._after, self._file)
        for offset in sorted(self._dirty):
            self._dirty[offset].write_to(self._file, self._codec)
            del self._dirty[offset]

    def make_room(self) -> None:
        """Let the oldest table go where the cache is full; `load` and `add` do so themselves."""
        if len(self.tables) < self._capacity:
            return
        oldest = next(iter(self.tables))
        if oldest in self._dirty:
            try:
                self.write_back()
            except BlockError as error:
                # Whoever needed the room has not begun, and what was not written is still here.
                error.effect = Effect.NONE
                raise
        del self.tables[oldest]


class RootTable:
    """A table that the header points to, whole in memory; it can move to where it has more room.

    *announce* tells the header where the table is now and how many entries it has.
    """

    def __init__(
        self, file: DurableFile, structure: str, announce: Callable[[HostOffset, int], None]
    ) -> None:
        self.structure = structure
        self._file = file
        self._announce = announce
        self._table = Table(HostOffset(0), array("Q"))
        self._moved = False
        self._after: list[Stage] = []

    @property
    def entries(self) -> "array[int]":
        """The entries, to be changed through `put` only; one and the same array until `move`."""
        return self._table.entries

    @property
    def offset(self) -> HostOffset:
        """Where the table is, or will be once it is written."""
        return self._table.offset

    @property
    def dirty(self) -> bool:
        """Whether any entry differs from the file."""
        return self._moved or self._table.high > 0

    def load(self, offset: HostOffset, count: int) -> None:
        """Read *count* entries from *offset*; raises `ImageError` where the file ends before them."""
        data = self._file.read(offset, count * ENTRY_SIZE)
        if len(data) < count * ENTRY_SIZE:
            problem = f"the file ends after {len(data)} of its {count * ENTRY_SIZE} bytes"
            raise ImageError(self._file.path, self.structure, offset, problem)
        self._table = Table(offset, decode_table(data))

    def adopt(self, offset: HostOffset, entries: "array[int]") -> None:
        """Be the table of *entries* that the file has at *offset*, and that the header names."""
        self._table = Table(offset, entries)
        self._moved = False

    def depends_on(self, *stages: Stage) -> None:
        """From now on write back only after all *stages* are durable."""
        self._after.extend(stages)

    def put(self, index: int, entry: int) -> None:
        """Change one entry."""
        self._table.entries[index] = entry
        self._table.touch(index, 1)

    def move(self, offset: HostOffset, entries: "array[int]") -> None:
        """Replace the table by *entries* at *offset*, which the header announces once they are durable."""
        self._table = Table(offset, entries)
        self._moved = True

    def write_back(self) -> None:
        if not self.dirty:
            return
        _settle(self._after, self._file)
        if self._moved:
            self._write_moved()
        else:
            self._table.write_to(self._file, ENTRY_CODEC)

    def _write_moved(self) -> None:
        # Table first, durable, then the header: a crash between them leaves the old table in force.
        table = self._table
        table.touch(0, len(table.entries))
        table.write_to(self._file, ENTRY_CODEC)
        self._file.flush()
        self._announce(table.offset, len(table.entries))
        self._moved = False
