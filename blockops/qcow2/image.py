"""A qcow2 image: what the guest reads and writes, at any offset and length.

A request is cut into runs of clusters that lie together, each one system call.  Where a write needs new
clusters, `writing` makes them.  The image takes an open host file and never opens one; its backing is
anything with a size and a `read`.
"""

from collections.abc import Callable
from typing import Self

from blockops.errors import BlockError, Effect, HostError, ImageError, InvalidRequest, UnsupportedFeature
from blockops.host.api import HostFile
from blockops.qcow2.anchor import Anchor
from blockops.qcow2.bitmap_directory import Bitmap, read_bitmaps
from blockops.qcow2.compressed import CompressedClusters
from blockops.qcow2.durable import DurableFile, UntouchedFile
from blockops.qcow2.external import DataStage, kinds_of, open_data_file
from blockops.qcow2.features import DATA_FILE_RAW, refuse_reading, refuse_writing
from blockops.qcow2.header import DATA_FILE, DIRTY, Header, read_header
from blockops.qcow2.mapping import ClusterMap, Kind
from blockops.qcow2.refcounts import Refcounts
from blockops.qcow2.repair import repair
from blockops.qcow2.snapshots import Snapshots, header_of_snapshot
from blockops.qcow2.table_cache import Stage
from blockops.qcow2.writing import Backing, Writer, read_padded
from blockops.units import SECTOR, HostOffset, round_up

_DATA, _UNALLOCATED, _COMPRESSED = Kind.DATA, Kind.UNALLOCATED, Kind.COMPRESSED


class Qcow2Image:
    """An open qcow2 image.  Offsets and lengths are guest bytes.

    Requests outside the disk raise `InvalidRequest`; what the host or the image does wrong raises
    `HostError`, `ImageError` or `UnsupportedFeature`, whose `effect` says what holds afterwards.
    *backing* may be set at any time; it must then show the same contents as the one before.
    """

    def __init__(
        self,
        file: DurableFile,
        header: Header,
        *,
        writable: bool,
        backing: Backing | None,
        data: DurableFile | None = None,
    ) -> None:
        self.path = file.path
        self.writable = writable
        self.backing = backing
        self.size = header.size
        self._open = True
        self._file = file
        # Where guest clusters are: in the image itself, unless it has an external data file.
        self._data = data or file
        self._anchor = Anchor(file, header)
        self._shape = header.geometry
        self._refcounts = Refcounts(file, self._anchor)
        mapping, writing = kinds_of(header) if header.incompatible else (ClusterMap, Writer)
        self._map = mapping(file, self._data, self._anchor, self._refcounts)
        # The order of a flush; what must be durable before what, the stages know themselves.
        self._stages: tuple[Stage, ...] = (
            self._anchor,
            self._refcounts.blocks,
            self._refcounts.table,
            self._map.l2,
            self._map.l1,
        )
        if data is not None:
            stage = DataStage(data)
            self._map.l2.depends_on(stage)
            self._stages = (stage, *self._stages)
        self._find = self._map.find
        self._place = self._map.place
        self._compressed_clusters: CompressedClusters | None = None
        self._writer = writing(self, self._data, self._map)
        self._write_new = self._writer.write_new
        self._zero_some = self._writer.zero_some

    @classmethod
    def open(
        cls,
        file: HostFile,
        *,
        writable: bool,
        backing: Backing | None = None,
        snapshot: str | None = None,
        data_file: Callable[[Header], HostFile] | None = None,
    ) -> Self:
        """Open the image in *file*, which stays the caller's if this fails.

        *snapshot*: show the disk as it was in the internal snapshot of this id or name; read-only.
        *data_file* opens the external data file, where there is one; it is closed with the image.

        One that is marked dirty is repaired before it is opened for writing.  Raises `ImageError` or
        `UnsupportedFeature` (by name) for what it is, `HostError` for the host.
        """
        header = read_header(file)
        refuse_reading(header, file.path)
        if snapshot is not None:
            if writable:
                raise InvalidRequest(file.path, "an internal snapshot can only be read")
            header = header_of_snapshot(file, header, snapshot)
        if writable:
            refuse_writing(header, file.path)
            if header.incompatible & DIRTY:
                repair(file)
                header = read_header(file)
        if not header.autoclear and not header.incompatible & DATA_FILE:
            return cls(DurableFile(file), header, writable=writable, backing=backing)
        data = open_data_file(header, file.path, data_file)
        try:
            untouched = UntouchedFile(file)
            image = cls(untouched, header, writable=writable, backing=backing, data=data)
        except BlockError:
            if data is not None:
                data.close()
            raise
        for each in (untouched, data):
            if each is not None:
                each.before_writing(image._anchor.clear_autoclear)
        return image

    @property
    def header(self) -> Header:
        """The header in force."""
        return self._anchor.header

    @property
    def _compressed(self) -> CompressedClusters:
        if self._compressed_clusters is None:
            found = CompressedClusters(self._file, self.header, self._map, self._refcounts)
            self._compressed_clusters = found
        return self._compressed_clusters

    @property
    def snapshots(self) -> Snapshots:
        """The internal snapshots."""
        return Snapshots(self, self._file, self._anchor, self._refcounts, self._map)

    @property
    def data_file(self) -> str | None:
        """The name of the external data file as the header has it, None where there is none."""
        return self.header.data_file if self.header.incompatible & DATA_FILE else None

    @property
    def bitmaps(self) -> tuple[Bitmap, ...]:
        """The persistent bitmaps that count: none where somebody wrote who does not keep them right."""
        directory = read_bitmaps(self._file, self.header)
        return () if directory is None else directory.bitmaps

    @property
    def dirty(self) -> bool:
        """Whether anything was written through this handle that no flush has made durable."""
        return self._file.pending or self._refcounts.waiting or any(stage.dirty for stage in self._stages)

    # ----------------------------------------------------------------------------------------- reading

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly *length* bytes; what lies past the backing's end reads as zeros."""
        if offset < 0 or length <= 0 or offset + length > self.size:
            return self._read_nothing(offset, length)
        kind, host, run = self._find(offset, length)
        if run == length:
            return self._fetch(kind, host, offset, length)
        parts = [self._fetch(kind, host, offset, run)]
        done = run
        while done < length:
            kind, host, run = self._find(offset + done, length - done)
            parts.append(self._fetch(kind, host, offset + done, run))
            done += run
        return b"".join(parts)

    def _read_nothing(self, offset: int, length: int) -> bytes:
        self._check_range(offset, length)
        return b""

    def _fetch(self, kind: Kind, host: HostOffset, offset: int, length: int) -> bytes:
        if kind is _DATA:
            data = self._data.read(host, length)
            # The last cluster of the file need not be whole; what is missing was never written.
            return data if len(data) == length else data.ljust(length, b"\0")
        if kind is _UNALLOCATED and self.backing is not None:
            return read_padded(self.backing, offset, length)
        if kind is _COMPRESSED:
            return self._compressed.read(offset, length)
        return bytes(length)

    def stretch(self, offset: int, length: int) -> tuple[Kind, int]:
        """Return where the bytes at *offset* come from, and for how many of *length* > 0 that is so."""
        self._check_range(offset, length)
        kind, _, run = self._find(offset, length)
        return kind, run

    def _check_range(self, offset: int, length: int) -> None:
        if offset < 0 or length < 0 or offset + length > self.size:
            problem = f"{length} bytes at offset {offset} lie outside its {self.size} bytes"
            raise InvalidRequest(self.path, problem)

    # ----------------------------------------------------------------------------------------- writing

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Write *data*; visible to the next read, durable with the next flush.

        After an error with effect `none` nothing has changed; with `unknown` any part of it may have.
        """
        length = len(data)
        self._check_write(offset, length)
        if length == 0:
            return
        host, run = self._place(offset, length)
        if host is not None and run == length:
            self._overwrite(host, data)
        else:
            self._write_runs(offset, memoryview(data))

    def _check_write(self, offset: int, length: int) -> None:
        if not self.writable:
            raise InvalidRequest(self.path, "the image is open read-only")
        self._check_range(offset, length)

    def _overwrite(self, host: HostOffset, data: bytes | bytearray | memoryview) -> None:
        try:
            self._data.write(host, data)
        except BlockError as error:
            error.effect = Effect.UNKNOWN
            raise

    def _write_runs(self, offset: int, data: memoryview) -> None:
        done = 0
        try:
            while done < len(data):
                host, run = self._place(offset + done, len(data) - done)
                if host is not None:
                    self._overwrite(host, data[done : done + run])
                else:
                    run = self._write_new(offset + done, data[done : done + run])
                done += run
        except BlockError as error:
            if done:
                error.effect = Effect.UNKNOWN
            raise

    def write_compressed(self, offset: int, data: bytes) -> None:
        """Write whole clusters, compressed where that makes them smaller; errors as `write`.

        *offset* and *data* end on clusters, or *data* with the disk.
        """
        length, shape = len(data), self._shape
        self._check_write(offset, length)
        if self._data is not self._file:
            raise UnsupportedFeature(self.path, "compressing into an external data file")
        if offset & shape.cluster_mask or (length & shape.cluster_mask and offset + length < self.size):
            raise InvalidRequest(self.path, f"{length} bytes at offset {offset} are not whole clusters")
        for start in range(0, length, shape.cluster_size):
            part = data[start : start + shape.cluster_size]
            try:
                if not self._compressed.write(offset + start, part.ljust(shape.cluster_size, b"\0")):
                    self.write(offset + start, part)
            except BlockError as error:
                if start:
                    error.effect = Effect.UNKNOWN
                raise

    def reserve(self, offset: int, length: int) -> tuple[HostOffset, int]:
        """Give clusters from *offset* on a place before anything is written to them, in an image that is new.

        Returns where it is, and for how many bytes; after an error it is as if nothing had been asked for.
        """
        self._check_write(offset, length)
        return self._writer.reserve(offset, length)

    # ------------------------------------------------------------------------------- zeroes and discard

    def write_zeroes(self, offset: int, length: int) -> None:
        """Make *length* bytes read as zeros, giving up the clusters that they fill; errors as `write`."""
        self._check_write(offset, length)
        done = 0
        try:
            while done < length:
                done += self._zero_some(offset + done, length - done)
        except BlockError as error:
            if done:
                error.effect = Effect.UNKNOWN
            raise

    def discard(self, offset: int, length: int) -> None:
        """Give up *length* bytes, which read as zeros from then on (our choice); errors as `write`."""
        self.write_zeroes(offset, length)

    # ------------------------------------------------------------------------ durability, size, the end

    def flush(self) -> None:
        """Make durable what was written before; after an error it is unknown what is, but nothing is lost:
        a later flush that succeeds covers it.
        """
        if not self.writable:
            return
        try:
            for stage in self._stages:
                stage.write_back()
            self._file.settle()
        except BlockError as error:
            error.effect = Effect.UNKNOWN
            raise
        if self._refcounts.waiting:
            self._free_released()

    def _free_released(self) -> None:
        # Nothing durable refers to them any more.  Should this fail, they wait for the next flush: a leak.
        if self._compressed_clusters is not None:
            self._compressed_clusters.forget()
        try:
            self._refcounts.apply_released()
            self._refcounts.blocks.write_back()
        except HostError:
            return
        except ImageError as error:
            error.effect = Effect.APPLIED
            raise

    def resize(self, size: int) -> None:
        """Grow the disk to *size* bytes, rounded up to sectors; what is new reads as zeros; all is durable.

        After an error the disk has its old size, and from the next flush on so has the file.  Raises
        `InvalidRequest` for a smaller size.
        """
        self._check_write(0, 0)
        size = round_up(size, SECTOR)
        if not self.size <= size <= self._shape.max_size:
            raise InvalidRequest(self.path, f"it cannot be resized from {self.size} to {size} bytes")
        if size == self.size:
            return
        if self.header.snapshots and self._shape.version < 3:
            # A snapshot of version 2 need not know the size of its disk (QEMU refuses it, too).
            raise InvalidRequest(self.path, "version 2 with internal snapshots cannot be resized")
        old = self.size
        self._map.grow(size)
        self.size = size
        try:
            self._hide(old, size)
            if self.header.autoclear & DATA_FILE_RAW:
                # Whoever reads the data file alone finds the size there.
                self.write(size - SECTOR, bytes(SECTOR))
            self.flush()
            self._anchor.update(size=size)
            self._file.flush()
        except BlockError as error:
            self.size = old
            self._anchor.revert(size=old)
            error.effect = Effect.UNKNOWN
            raise

    def take_back_growth(self, size: int) -> None:
        """Give the disk the smaller *size* again, bytes, that it had before a `resize`; durable.

        For somebody who knows that nothing was written behind *size* since.  After an error the disk has
        that size, and from the next flush on so has the file.
        """
        self._check_write(0, 0)
        if not 0 <= size <= self.size or size % SECTOR:
            raise InvalidRequest(self.path, f"{size} bytes is no size that its {self.size} bytes grew from")
        self.size = size
        self._anchor.revert(size=size)
        self.flush()

    def _hide(self, start: int, end: int) -> None:
        """Zero what would show in the new part: the rest of the old last cluster, and a longer backing."""
        shown = min(end, round_up(start, self._shape.cluster_size))
        if self.header.autoclear & DATA_FILE_RAW:
            shown = max(shown, min(end, self._data.end))
        if self.backing is not None:
            shown = max(shown, min(end, self.backing.size))
        self.write_zeroes(start, shown - start)

    def close(self) -> None:
        """Flush where anything is dirty and release the file, even if the flush fails; twice is harmless."""
        try:
            if self._open and self.dirty:
                self.flush()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Release the file without writing anything; what was not flushed may be lost."""
        self._open = False
        try:
            self._file.close()
        finally:
            if self._data is not self._file:
                self._data.close()
