"""Internal snapshots of an open image: listed, created, applied, deleted.

A snapshot is a second tree over the same clusters, each counted once more; that makes every later write copy
what it changes.  Creating, applying and deleting change counts and flags in many places, so meanwhile the
image is marked dirty: whoever finds it like that makes them right first (spec: "Snapshots", "Dirty bit").
Version 2 cannot be marked; there an interrupted change may leave wrong flags and leaks, never lost data.
"""

import contextlib
from array import array
from collections.abc import Iterator
from typing import Protocol

import attrs

from blockops.errors import BlockError, Effect, ImageError, InvalidRequest, UnsupportedFeature
from blockops.host.api import HostFile
from blockops.qcow2.anchor import Anchor
from blockops.qcow2.durable import DurableFile
from blockops.qcow2.entries import COPIED, decode_table, encode_table
from blockops.qcow2.geometry import ENTRY_SIZE
from blockops.qcow2.header import DATA_FILE, DIRTY, Header
from blockops.qcow2.mapping import ClusterMap
from blockops.qcow2.refcounts import Refcounts
from blockops.qcow2.snapshot_table import (
    MAX_SNAPSHOTS,
    Snapshot,
    SnapshotTable,
    encode_snapshots,
    read_snapshots,
)
from blockops.qcow2.trees import Trees
from blockops.units import HostOffset, round_up

NOWHERE = HostOffset(0)


def find_snapshot(path: str, table: SnapshotTable, wanted: str) -> Snapshot:
    """Return the snapshot with this id or, where there is none, this name; raises `InvalidRequest`."""
    for attribute in ("id", "name"):
        for snapshot in table.snapshots:
            if getattr(snapshot, attribute) == wanted:
                return snapshot
    raise InvalidRequest(path, f"it has no snapshot '{wanted}'")


def header_of_snapshot(file: HostFile, header: Header, wanted: str) -> Header:
    """Return a header that shows the disk as it was in a snapshot; raises `InvalidRequest`, `ImageError`."""
    snapshot = find_snapshot(file.path, read_snapshots(file, header), wanted)
    _check_end(file.path, snapshot, file.size())
    return attrs.evolve(
        header, size=snapshot.disk_size, l1_offset=snapshot.l1_offset, l1_entries=snapshot.l1_entries
    )


def _check_end(path: str, snapshot: Snapshot, end: int) -> None:
    """Raise `ImageError` where the file ends within the L1 table of a snapshot."""
    if snapshot.l1_offset + snapshot.l1_entries * ENTRY_SIZE > end:
        problem = f"its {snapshot.l1_entries} entries end beyond the file"
        raise ImageError(path, f"L1 table of snapshot {snapshot.id}", snapshot.l1_offset, problem)


class Owner(Protocol):
    """What snapshots see of the image that they belong to."""

    size: int
    writable: bool

    def flush(self) -> None: ...


class Snapshots:
    """The snapshots of an open image.

    Iterating gives them in the order of their table.  Whatever changes them raises `InvalidRequest` where
    the image is open read-only.  After an error it shows what it showed before, or, where the effect is
    `unknown`, perhaps what was asked for.
    """

    def __init__(
        self, image: Owner, file: DurableFile, anchor: Anchor, refcounts: Refcounts, mapping: ClusterMap
    ) -> None:
        self._image = image
        self._file = file
        self._anchor = anchor
        self._refcounts = refcounts
        self._map = mapping
        self._shape = anchor.header.geometry
        self._trees = Trees(file, self._shape, mapping.l2, refcounts)

    def __iter__(self) -> Iterator[Snapshot]:
        return iter(read_snapshots(self._file, self._anchor.header).snapshots)

    def create(self, name: str, *, date_sec: int = 0, date_nsec: int = 0, vm_clock_nsec: int = 0) -> Snapshot:
        """Take a snapshot of the disk as it is; durable afterwards.  Its id is a number of its own."""
        table = self._begin()
        if len(table.snapshots) >= MAX_SNAPSHOTS:
            raise UnsupportedFeature(self._file.path, f"more than {MAX_SNAPSHOTS} snapshots")
        active = self._map.l1.entries
        with self._unsettled():
            self._trees.increase(active)
            self._trees.mark(self._map.l1)
            snapshot = Snapshot(
                id=_new_id(table),
                name=name,
                l1_offset=self._store(encode_table(_unflagged(active))),
                l1_entries=len(active),
                disk_size=self._image.size,
                date_sec=date_sec,
                date_nsec=date_nsec,
                vm_clock_nsec=vm_clock_nsec,
            )
            self._replace(table, (*table.snapshots, snapshot))
        return snapshot

    def delete(self, wanted: str) -> None:
        """Delete the snapshot with this id or name; what only it refers to is free afterwards."""
        table = self._begin()
        snapshot = find_snapshot(self._file.path, table, wanted)
        lost = list(self._trees.runs(self._load(snapshot)))
        with self._unsettled():
            self._replace(table, tuple(one for one in table.snapshots if one is not snapshot))
            self._drop(lost, snapshot.l1_offset, snapshot.l1_entries)

    def apply(self, wanted: str) -> None:
        """Make the disk what it was when the snapshot with this id or name was taken, its size included.

        What was written since is lost, unless another snapshot has it.
        """
        snapshot = find_snapshot(self._file.path, self._begin(), wanted)
        header = self._anchor.header
        lost = list(self._trees.runs(self._map.l1.entries))
        entries = _unflagged(self._load(snapshot))
        with self._unsettled():
            self._trees.increase(entries)
            # Before they are the active ones: a flag that is wrong would let a write change the snapshot.
            self._trees.mark_tables(entries)
            offset = self._store(encode_table(entries))
            self._image.flush()
            self._announce(l1_offset=offset, l1_entries=len(entries), size=snapshot.disk_size)
            # In memory, too, before it is known to be durable: header and table in use must be a pair.
            self._map.adopt_l1(offset, entries)
            self._image.size = snapshot.disk_size
            self._settle()
            self._drop(lost, header.l1_offset, header.l1_entries)

    # ------------------------------------------------------------------------------------------- pieces

    def _begin(self) -> SnapshotTable:
        """Return the table; from here on what the file says is what memory says."""
        if not self._image.writable:
            raise InvalidRequest(self._file.path, "the image is open read-only")
        if self._anchor.header.incompatible & DATA_FILE:
            raise UnsupportedFeature(self._file.path, "internal snapshots with an external data file")
        self._image.flush()
        return read_snapshots(self._file, self._anchor.header)

    @contextlib.contextmanager
    def _unsettled(self) -> Iterator[None]:
        """Mark the image dirty until all is well; where it does not become so, it stays marked."""
        marked = self._shape.version >= 3
        header = self._anchor.header
        if marked:
            self._switch(incompatible=header.incompatible | DIRTY)
        try:
            yield
        except UnsupportedFeature:
            # A count that is not wide enough: what had been counted was taken back.
            if marked:
                self._image.flush()
                self._switch(incompatible=header.incompatible)
            raise
        self._image.flush()
        if marked:
            self._switch(incompatible=header.incompatible)

    def _switch(self, **changes: object) -> None:
        """Change the header, durably."""
        self._announce(**changes)
        self._settle()

    def _announce(self, **changes: object) -> None:
        try:
            self._anchor.update(**changes)
        except BlockError as error:
            error.effect = Effect.UNKNOWN
            raise

    def _settle(self) -> None:
        try:
            self._file.flush()
        except BlockError as error:
            error.effect = Effect.UNKNOWN
            raise

    def _store(self, data: bytes) -> HostOffset:
        """Write *data* to new clusters, nowhere where it is empty."""
        if not data:
            return NOWHERE
        host = self._refcounts.allocate_contiguous(self._shape.clusters(len(data)))
        self._file.write(host, data.ljust(round_up(len(data), self._shape.cluster_size), b"\0"))
        return host

    def _replace(self, table: SnapshotTable, snapshots: tuple[Snapshot, ...]) -> None:
        """Let the header name a table of *snapshots*; the old one's clusters are released."""
        old = self._anchor.header.snapshots_offset
        offset = self._store(encode_snapshots(snapshots))
        self._image.flush()
        self._switch(snapshots=len(snapshots), snapshots_offset=offset)
        if table.length:
            self._refcounts.release(old, self._shape.clusters(table.length))

    def _load(self, snapshot: Snapshot) -> "array[int]":
        _check_end(self._file.path, snapshot, self._file.end)
        length = snapshot.l1_entries * ENTRY_SIZE
        return decode_table(self._file.read(snapshot.l1_offset, length) if length else b"")

    def _drop(self, lost: list[tuple[HostOffset, int]], l1_offset: HostOffset, l1_entries: int) -> None:
        """Give up one reference to each cluster of a tree, and its L1 table."""
        for host, count in lost:
            self._refcounts.release(host, count)
        if l1_entries:
            self._refcounts.release(l1_offset, self._shape.clusters(l1_entries * ENTRY_SIZE))
        self._image.flush()
        self._trees.mark(self._map.l1)


def _unflagged(entries: "array[int]") -> "array[int]":
    return array("Q", [entry & ~COPIED for entry in entries])


def _new_id(table: SnapshotTable) -> str:
    """Return the next number, as QEMU gives ids."""
    return str(max((int(one.id) for one in table.snapshots if one.id.isdecimal()), default=0) + 1)
