"""The guest's clusters of a qcow2 image in order, as runs that lie together, read through the codec alone.

A run costs what its tables cost: where the L1 table names no L2 table, half a gigabyte is one step.  Every
L2 table of a sound image is in the file once, so all of them together are no longer than the file; who
names more than twice that has tables on top of each other, and the walk ends (specification: "Cluster
mapping").
"""

import enum
import itertools
from array import array
from collections.abc import Iterator
from typing import Final, NamedTuple

import attrs

from blockops.errors import ImageError
from blockops.host.api import HostFile, read_exactly
from blockops.qcow2.entries import (
    COMPRESSED,
    COPIED,
    OFFSET_MASK,
    ZERO,
    BadEntry,
    Compressed,
    Data,
    Mapping,
    Unallocated,
    Zero,
    check_subclusters,
    decode_l1,
    decode_l2,
    decode_table,
)
from blockops.qcow2.geometry import ENTRY_SIZE, SUBCLUSTERS, Geometry
from blockops.qcow2.header import DATA_FILE, Header
from blockops.units import HostOffset


class Kind(enum.Enum):
    """What a run's clusters are."""

    DATA = "data"
    ZERO = "zero"
    UNALLOCATED = "unallocated"
    COMPRESSED = "compressed"


class Run(NamedTuple):
    """*length* guest bytes from *start*; *host* is where the file keeps a place for them, one after another.

    A zero run may have such a place; data always has, compressed clusters never (they are not one after
    another).
    """

    start: int
    length: int
    kind: Kind
    host: int | None


def l2_tables(file: HostFile, header: Header) -> "Iterator[tuple[int, int, array[int] | None]]":
    """Yield for every L1 entry that maps a part of the disk its index, its L2 table's offset and entries.

    The entries are None where there is no table.  Raises `ImageError` for what the format forbids.
    """
    count = header.geometry.l1_entries(header.size)
    l1 = decode_table(read_exactly(file, header.l1_offset, count * ENTRY_SIZE))
    allowance = 2 * file.size()
    for index, entry in enumerate(l1):
        if entry == 0:
            yield index, 0, None
            continue
        offset = _table_offset(file, header, index, entry)
        allowance -= header.geometry.cluster_size
        if allowance < 0:
            problem = "L2 tables lie on top of each other: together they exceed the file twice"
            raise ImageError(file.path, "L1 table", header.l1_offset + index * ENTRY_SIZE, problem)
        yield index, offset, _table(file, header, offset)


def _table_offset(file: HostFile, header: Header, index: int, entry: int) -> int:
    try:
        pointer = decode_l1(entry, header.geometry)
    except BadEntry as bad:
        where = header.l1_offset + index * ENTRY_SIZE
        raise ImageError(file.path, "L1 table", where, str(bad)) from bad
    return 0 if pointer is None else pointer.host


def _table(file: HostFile, header: Header, offset: int) -> "array[int] | None":
    if offset == 0:
        return None
    size = header.geometry.cluster_size
    data = read_exactly(file, offset, size)
    if len(data) < size:
        problem = f"it is truncated: the file ends at {file.size()}"
        raise ImageError(file.path, "L2 table", offset, problem)
    return decode_table(data)


def runs(file: HostFile, header: Header) -> Iterator[Run]:
    """Yield all of the disk in order; neighbours of one kind that lie together may still be two runs."""
    walk = _Walk(file, header)
    bits = header.geometry.cluster_bits + header.geometry.l2_bits
    for index, offset, entries in l2_tables(file, header):
        start, end = index << bits, min((index + 1) << bits, header.size)
        if entries is None or entries.count(0) == len(entries):
            yield Run(start, end - start, Kind.UNALLOCATED, None)
        elif header.geometry.extended_l2:
            yield from walk.extended_table(start, end, offset, entries)
        else:
            yield from walk.table(start, end, offset, entries)


@attrs.frozen
class _Walk:
    """Cuts L2 tables into runs."""

    file: HostFile
    header: Header

    def table(self, start: int, end: int, offset: int, entries: "array[int]") -> Iterator[Run]:
        """Yield the runs of one table, which maps the bytes from *start* to *end*."""
        bits, size = self.header.geometry.cluster_bits, self.header.geometry.cluster_size
        index, last = 0, -(-(end - start) >> bits)
        while index < last:
            entry = entries[index]
            kind, host = self._meaning(entry, offset + index * ENTRY_SIZE, start + (index << bits))
            step = 0 if host is None else size
            at, expected = index + 1, entry + step
            if kind is not Kind.COMPRESSED:
                while at < last and entries[at] == expected:
                    at, expected = at + 1, expected + step
            run = start + (index << bits)
            yield Run(run, min((at - index) << bits, end - run), kind, host)
            index = at

    def extended_table(self, start: int, end: int, offset: int, entries: "array[int]") -> Iterator[Run]:
        """Yield the runs of one table of extended entries, none of them longer than a cluster."""
        shape = self.header.geometry
        for index in range(-(-(end - start) >> shape.cluster_bits)):
            entry, bitmap, where = entries[2 * index], entries[2 * index + 1], offset + 2 * index * ENTRY_SIZE
            kind, host = self._meaning(entry, where, start + (index << shape.cluster_bits))
            try:
                check_subclusters(entry, bitmap, shape)
            except BadEntry as bad:
                raise ImageError(self.file.path, "L2 table", where, str(bad)) from bad
            cluster, rest = start + (index << shape.cluster_bits), end
            if kind is Kind.COMPRESSED:
                yield Run(cluster, min(shape.cluster_size, rest - cluster), kind, host)
            else:
                yield from _subclusters(cluster, min(end, cluster + shape.cluster_size), shape, host, bitmap)

    def _meaning(self, entry: int, where: int, guest: int) -> tuple[Kind, HostOffset | None]:
        external = self.header.incompatible & DATA_FILE
        try:
            if external and entry == COPIED:
                mapping: Mapping = Data(HostOffset(0), copied=True)
            else:
                mapping = decode_l2(entry, self.header.geometry)
            if external and isinstance(mapping, Data) and mapping.host != guest:
                raise BadEntry(f"{entry:#018x} cannot stand for {guest:#x} in an external data file")
        except BadEntry as bad:
            raise ImageError(self.file.path, "L2 table", where, str(bad)) from bad
        match mapping:
            case Data(host):
                return Kind.DATA, host
            case Zero(host):
                return Kind.ZERO, host
            case Unallocated():
                return Kind.UNALLOCATED, None
            case Compressed():
                return Kind.COMPRESSED, None


def _subclusters(start: int, end: int, shape: Geometry, host: int | None, bitmap: int) -> Iterator[Run]:
    """Yield the runs of one cluster (specification: "Subcluster Allocation Bitmap")."""
    size = shape.cluster_size // SUBCLUSTERS
    kinds = [
        Kind.DATA if bitmap >> number & 1 else Kind.ZERO if bitmap >> 32 + number & 1 else Kind.UNALLOCATED
        for number in range(SUBCLUSTERS)
    ]
    first = 0
    for kind, like in itertools.groupby(kinds):
        last = first + len(list(like))
        run = start + first * size
        if run < end:
            yield Run(run, min(end, start + last * size) - run, kind, host and host + first * size)
        first = last


class Layout(NamedTuple):
    """How the allocated clusters lie in the file, counted as `qemu-img check` counts."""

    fragmented: int
    compressed: int


def layout(file: HostFile, header: Header) -> Layout:
    """Count the clusters that do not follow the one before them in their L2 table, and compressed ones.

    A compressed cluster is fragmented by nature.  Raises `ImageError` for tables that cannot be read.
    """
    fragmented = compressed = 0
    tables = (entries for _, _, entries in l2_tables(file, header) if entries is not None)
    for entries in tables:
        split, packed = _layout(entries[:: header.geometry.l2_words], header.geometry.cluster_size)
        fragmented, compressed = fragmented + split + packed, compressed + packed
    return Layout(fragmented, compressed)


_PLACE: Final = OFFSET_MASK & ~ZERO


def _layout(entries: "array[int]", size: int) -> tuple[int, int]:
    split = packed = following = 0
    for entry in entries:
        if entry & COMPRESSED:
            packed += 1
        elif place := entry & _PLACE:
            split += following not in (0, place)
            following = place + size
    return split, packed
