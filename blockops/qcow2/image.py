"""A qcow2 image: what the guest reads and writes, at any offset and length.

A request is cut into runs of clusters that lie together, each one system call.  Where a write needs new
clusters, they are counted, filled (with what the guest would have read around the data) and only then
referred to; so a request that fails has changed nothing but the runs before it.  The image takes an open
host file and never opens one; its backing is anything with a size and a `read`.
"""

from typing import Protocol, Self

from blockops.errors import BlockError, Effect, HostError, ImageError, InvalidRequest
from blockops.host.api import HostFile
from blockops.qcow2.anchor import Anchor
from blockops.qcow2.durable import DurableFile
from blockops.qcow2.header import Header, read_header, refuse_reading, refuse_writing
from blockops.qcow2.mapping import ClusterMap, Kind
from blockops.qcow2.refcounts import Refcounts
from blockops.qcow2.table_cache import Stage
from blockops.units import MIB, SECTOR, HostOffset, round_up

_DATA, _ZERO, _UNALLOCATED = Kind.DATA, Kind.ZERO, Kind.UNALLOCATED
# Zeros are written in pieces of at most this many bytes where the format cannot say "zero".
_ZERO_PIECE = 2 * MIB


class Backing(Protocol):
    """What an image sees of the image that it is an overlay of."""

    @property
    def size(self) -> int:
        """Its virtual size in bytes."""

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly *length* bytes from *offset*, a range within its size."""


class Qcow2Image:
    """An open qcow2 image.  Offsets and lengths are guest bytes.

    Requests outside the disk raise `InvalidRequest`; what the host or the image does wrong raises
    `HostError`, `ImageError` or `UnsupportedFeature`, whose `effect` says what holds afterwards.
    *backing* may be set at any time; it must then show the same contents as the one before.
    """

    def __init__(self, file: DurableFile, header: Header, *, writable: bool, backing: Backing | None) -> None:
        self.path = file.path
        self.writable = writable
        self.backing = backing
        self.size = header.size
        self._open = True
        self._file = file
        self._anchor = Anchor(file, header)
        self._shape = header.geometry
        self._refcounts = Refcounts(file, self._anchor)
        self._map = ClusterMap(file, self._anchor, self._refcounts)
        # The order of a flush; what must be durable before what, the stages know themselves.
        self._stages: tuple[Stage, ...] = (
            self._anchor,
            self._refcounts.blocks,
            self._refcounts.table,
            self._map.l2,
            self._map.l1,
        )
        self._find = self._map.find
        self._place = self._map.place

    @classmethod
    def open(cls, file: HostFile, *, writable: bool, backing: Backing | None = None) -> Self:
        """Open the image in *file*, which stays the caller's if this fails.

        Raises `ImageError` or `UnsupportedFeature` (by name) for what it is, `HostError` for the host.
        """
        header = read_header(file)
        refuse_reading(header, file.path)
        if writable:
            refuse_writing(header, file.path)
        image = cls(DurableFile(file), header, writable=writable, backing=backing)
        if writable and header.autoclear:
            image._clear_autoclear()
        return image

    def _clear_autoclear(self) -> None:
        # Spec, "autoclear_features": durable before anything else is written, for after that they would lie.
        self._anchor.update(autoclear=0)
        self._file.flush()

    @property
    def header(self) -> Header:
        """The header in force."""
        return self._anchor.header

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
            data = self._file.read(host, length)
            # The last cluster of the file need not be whole; what is missing was never written.
            return data if len(data) == length else data.ljust(length, b"\0")
        if kind is _UNALLOCATED and self.backing is not None:
            return _read_padded(self.backing, offset, length)
        return bytes(length)

    def holds(self, offset: int, length: int) -> bool:
        """Return whether any byte of that range is this image's own, be it zero, and not its backing's."""
        self._check_range(offset, length)
        end = offset + length
        while offset < end:
            kind, _, run = self._find(offset, end - offset)
            if kind is not _UNALLOCATED:
                return True
            offset += run
        return False

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
            self._file.write(host, data)
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

    def _write_new(self, offset: int, data: memoryview) -> int:
        """Write the start of *data* into new clusters, one host write; return how much of it."""
        shape = self._shape
        cluster = offset >> shape.cluster_bits
        inside = offset & shape.cluster_mask
        host, count, untouched = self._map.allocate(cluster, shape.clusters(inside + len(data)))
        try:
            data = data[: (count << shape.cluster_bits) - inside]
            self._fill(host, offset, data, untouched)
            self._map.point(cluster, host, count)
        except BlockError as error:
            # Nothing refers to the new clusters, so whatever is in them by now, nobody sees it.
            error.effect = Effect.NONE
            self._map.give_back(host, count)
            raise
        return len(data)

    def _fill(self, host: HostOffset, offset: int, data: memoryview, untouched: bool) -> None:
        """Write *data* into the new clusters at *host*, with what the guest sees around it."""
        mask = self._shape.cluster_mask
        start = offset & ~mask
        end = offset + len(data)
        head, tail = self._surroundings(start, offset, end, min((end + mask) & ~mask, self.size))
        if not untouched:
            # Somebody's old bytes are there: every byte of the clusters is written.
            head = head or bytes(offset - start)
            tail = tail.ljust((-end) & mask, b"\0")
        if not head and not tail:
            # Past the end of the file everything that is not written reads as zeros.
            self._file.write(host + offset - start, data)
        elif head or offset == start:
            self._file.write(host, b"".join((head, data, tail)))
        else:
            self._file.write(host + offset - start, b"".join((data, tail)))

    def _surroundings(self, start: int, offset: int, end: int, stop: int) -> tuple[bytes, bytes]:
        """Return what the guest reads in [start, offset) and [end, stop); empty where that is zeros."""
        in_one_cluster = start + self._shape.cluster_size >= stop
        if in_one_cluster and (start < offset or end < stop) and not self._zero_between(start, stop):
            # One cluster: one read, of which the middle is thrown away.
            old = self.read(start, stop - start)
            return old[: offset - start], old[end - start :]
        return self._unless_zero(start, offset), self._unless_zero(end, stop)

    def _unless_zero(self, start: int, end: int) -> bytes:
        return b"" if start >= end or self._zero_between(start, end) else self.read(start, end - start)

    def _zero_between(self, start: int, end: int) -> bool:
        """Whether a range within one cluster is known to read as zeros without reading it."""
        if start >= end:
            return True
        kind = self._find(start, end - start)[0]
        return kind is _ZERO or (kind is _UNALLOCATED and not self._backed_from(start))

    def _backed_from(self, offset: int) -> bool:
        return self.backing is not None and self.backing.size > offset

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

    def _zero_some(self, offset: int, length: int) -> int:
        shape = self._shape
        size = shape.cluster_size
        inside = offset & shape.cluster_mask
        if inside or (length < size and offset + length < self.size):
            length = min(length, size - inside)
            if not self._zero_between(offset, offset + length):
                self.write(offset, bytes(length))
            return length
        cluster = offset >> shape.cluster_bits
        whole = shape.clusters(length) if offset + length == self.size else length >> shape.cluster_bits
        count = min(whole, shape.l2_entries - (cluster & shape.l2_mask))
        length = min(length, count << shape.cluster_bits)
        return self._zero_clusters(offset, cluster, count, length)

    def _zero_clusters(self, offset: int, cluster: int, count: int, length: int) -> int:
        # An image that names a backing file may be open without it: unallocated would show it later.
        backed = self.backing is not None or self.header.backing_file is not None
        if backed and self._shape.version < 3:
            # Version 2 cannot say "zero" over a backing.
            length = min(length, _ZERO_PIECE)
            self.write(offset, bytes(length))
        else:
            self._map.clear(cluster, count, zero=backed)
        return length

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
        old = self.size
        self._map.grow(size)
        self.size = size
        try:
            self._hide(old, size)
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
        self._file.close()


def _read_padded(backing: Backing, offset: int, length: int) -> bytes:
    """Read from a backing that may be shorter than its overlay (spec: end of "Cluster mapping")."""
    end = backing.size
    if offset + length <= end:
        return backing.read(offset, length)
    if offset >= end:
        return bytes(length)
    return backing.read(offset, end - offset).ljust(length, b"\0")
