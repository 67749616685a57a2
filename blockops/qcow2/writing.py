"""Writes that need new clusters, and zeros: what the guest sees around them comes along.

New clusters are counted, filled (with what the guest would have read around the data) and only then
referred to; so a request that fails has changed nothing but the runs before it.
"""

from typing import Protocol

from blockops.errors import BlockError, Effect
from blockops.qcow2.durable import DurableFile
from blockops.qcow2.features import DATA_FILE_RAW
from blockops.qcow2.header import Header
from blockops.qcow2.mapping import ClusterMap, Kind
from blockops.units import MIB, HostOffset

_ZERO, _UNALLOCATED = Kind.ZERO, Kind.UNALLOCATED
# Zeros are written in pieces of at most this many bytes where the format cannot say "zero".
ZERO_PIECE = 2 * MIB


class Backing(Protocol):
    """What an image sees of the image that it is an overlay of."""

    @property
    def size(self) -> int:
        """Its virtual size in bytes."""

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly *length* bytes from *offset*, a range within its size."""


def read_padded(backing: Backing, offset: int, length: int) -> bytes:
    """Read from a backing that may be shorter than its overlay (spec: end of "Cluster mapping")."""
    end = backing.size
    if offset + length <= end:
        return backing.read(offset, length)
    if offset >= end:
        return bytes(length)
    return backing.read(offset, end - offset).ljust(length, b"\0")


class Disk(Protocol):
    """What a writer sees of the image that it writes for."""

    size: int
    backing: Backing | None

    @property
    def header(self) -> Header: ...

    def read(self, offset: int, length: int) -> bytes: ...

    def write(self, offset: int, data: bytes) -> None: ...


class Writer:
    """Puts what the guest writes into new clusters.  Offsets and lengths are guest bytes."""

    def __init__(self, disk: Disk, data: DurableFile, mapping: ClusterMap) -> None:
        self._disk = disk
        self._data = data
        self._map = mapping
        self._find = mapping.find
        self._shape = disk.header.geometry

    def write_new(self, offset: int, data: memoryview) -> int:
        """Write the start of *data* into new clusters, one host write; return how much of it.

        An error's effect is `none`.
        """
        shape = self._shape
        cluster = offset >> shape.cluster_bits
        inside = offset & shape.cluster_mask
        host, count, untouched = self._map.allocate(cluster, shape.clusters(inside + len(data)))
        try:
            data = data[: (count << shape.cluster_bits) - inside]
            self._fill(host, offset, data, untouched, shape.cluster_mask)
            self._map.point(cluster, host, count)
        except BlockError as error:
            # Nothing refers to the new clusters, so whatever is in them by now, nobody sees it.
            error.effect = Effect.NONE
            self._map.give_back(host, count)
            raise
        return len(data)

    def reserve(self, offset: int, length: int) -> tuple[HostOffset, int]:
        """Give clusters from *offset* on a place, in which they read as zeros; return it and its length.

        For an image that is new: where nobody has written, nothing is written now.
        """
        shape = self._shape
        cluster = offset >> shape.cluster_bits
        wanted = min(shape.clusters(length), shape.l2_entries - (cluster & shape.l2_mask))
        host, count, untouched = self._map.allocate(cluster, wanted)
        if not untouched:
            for at in range(count):
                self._data.write(host + (at << shape.cluster_bits), bytes(shape.cluster_size))
        self._map.reserve(cluster, host, count)
        return host, count << shape.cluster_bits

    def _fill(self, host: HostOffset, offset: int, data: memoryview, untouched: bool, mask: int) -> None:
        """Write *data* into the new clusters at *host*, with what the guest sees around it.

        *mask* is that of what is filled whole; *untouched*: nobody has ever written there.
        """
        start = offset & ~mask
        end = offset + len(data)
        stop = min((end + mask) & ~mask, self._disk.size)
        head, tail = self._surroundings(start, offset, end, stop, mask)
        if not untouched:
            # Somebody's old bytes are there: every byte of the clusters is written.
            head = head or bytes(offset - start)
            tail = tail.ljust(self._rest(end, mask), b"\0")
        if not head and not tail:
            # Past the end of the file everything that is not written reads as zeros.
            self._data.write(host + offset - start, data)
        elif head or offset == start:
            self._data.write(host, b"".join((head, data, tail)))
        else:
            self._data.write(host + offset - start, b"".join((data, tail)))

    def _rest(self, end: int, mask: int) -> int:
        """Return how many bytes there are from guest offset *end* to where what is filled whole ends."""
        return (-end) & mask

    def _surroundings(self, start: int, offset: int, end: int, stop: int, mask: int) -> tuple[bytes, bytes]:
        """Return what the guest reads in [start, offset) and [end, stop); empty where that is zeros."""
        if (
            start + mask >= stop - 1
            and (start < offset or end < stop)
            and not self._zero_between(start, stop)
        ):
            # One cluster: one read, of which the middle is thrown away.
            old = self._disk.read(start, stop - start)
            return old[: offset - start], old[end - start :]
        return self._unless_zero(start, offset), self._unless_zero(end, stop)

    def _unless_zero(self, start: int, end: int) -> bytes:
        return b"" if start >= end or self._zero_between(start, end) else self._disk.read(start, end - start)

    def _zero_between(self, start: int, end: int) -> bool:
        """Whether a range within one cluster is known to read as zeros without reading it."""
        if start >= end:
            return True
        kind = self._find(start, end - start)[0]
        return kind is _ZERO or (kind is _UNALLOCATED and not self._backed_from(start))

    def _backed_from(self, offset: int) -> bool:
        backing = self._disk.backing
        return backing is not None and backing.size > offset

    # ------------------------------------------------------------------------------------------- zeros

    def zero_some(self, offset: int, length: int) -> int:
        """Make the start of *length* > 0 bytes read as zeros; return how many of them."""
        shape, disk = self._shape, self._disk
        size = shape.cluster_size
        inside = offset & shape.cluster_mask
        if inside or (length < size and offset + length < disk.size):
            length = min(length, size - inside)
            if not self._zero_between(offset, offset + length):
                disk.write(offset, bytes(length))
            return length
        cluster = offset >> shape.cluster_bits
        whole = shape.clusters(length) if offset + length == disk.size else length >> shape.cluster_bits
        count = min(whole, shape.l2_entries - (cluster & shape.l2_mask))
        length = min(length, count << shape.cluster_bits)
        return self._zero_clusters(offset, cluster, count, length)

    def _zero_clusters(self, offset: int, cluster: int, count: int, length: int) -> int:
        # An image that names a backing file may be open without it: unallocated would show it later.
        backed = self._disk.backing is not None or self._disk.header.backing_file is not None
        raw = self._disk.header.autoclear & DATA_FILE_RAW
        if raw or (backed and self._shape.version < 3):
            # Version 2 cannot say "zero" over a backing, and a raw data file must say it itself.
            length = min(length, ZERO_PIECE)
            self._disk.write(offset, bytes(length))
        else:
            self._map.clear(cluster, count, zero=backed)
        return length
