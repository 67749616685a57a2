"""Compressed clusters: read whole, written whole, packed one behind the other.

A compressed cluster is some bytes anywhere in the file; its descriptor counts the sectors that they touch.
Every host cluster among those is counted once for each compressed cluster in it, so several may share one;
none is ever overwritten in place (spec: "Compressed Clusters Descriptor").
"""

from blockops.errors import BlockError, Effect, ImageError
from blockops.qcow2.compression import BadData, Compression, compression
from blockops.qcow2.durable import DurableFile
from blockops.qcow2.entries import Compressed
from blockops.qcow2.header import Header
from blockops.qcow2.mapping import ClusterMap
from blockops.qcow2.refcounts import Refcounts
from blockops.units import HostOffset

NOWHERE = HostOffset(0)


class CompressedClusters:
    """The compressed clusters of an open image."""

    def __init__(self, file: DurableFile, header: Header, mapping: ClusterMap, refcounts: Refcounts) -> None:
        self._file = file
        self._kind = header.compression_type
        self._shape = header.geometry
        self._offset_bits = min(56, 62 - (self._shape.cluster_bits - 8))
        self._map = mapping
        self._refcounts = refcounts
        self._method: Compression | None = None
        # Behind the last compressed byte, where the next may follow; 0 where nothing may.
        self._end = NOWHERE
        # The cluster read last: the next request is often for its next bytes.
        self._last: tuple[Compressed, bytes] | None = None

    def read(self, offset: int, length: int) -> bytes:
        """Return *length* guest bytes at *offset*, which lie in one compressed cluster.

        Raises `ImageError` where its data is damaged, `UnsupportedFeature` without the method's library.
        """
        descriptor = self._map.compressed(offset >> self._shape.cluster_bits)
        if self._last is None or self._last[0] != descriptor:
            self._last = descriptor, self._decompress(descriptor)
        inside = offset & self._shape.cluster_mask
        return self._last[1][inside : inside + length]

    def _decompress(self, descriptor: Compressed) -> bytes:
        data = self._file.read(descriptor.host, descriptor.length)
        try:
            return self._compression().decompress(data, self._shape.cluster_size)
        except BadData as bad:
            problem = f"its {len(data)} bytes cannot be decompressed: {bad}"
            raise ImageError(self._file.path, "compressed cluster", descriptor.host, problem) from bad

    def _compression(self) -> Compression:
        if self._method is None:
            self._method = compression(self._kind, self._file.path)
        return self._method

    # ----------------------------------------------------------------------------------------- writing

    def write(self, offset: int, data: bytes) -> bool:
        """Make *data* the guest's cluster at *offset*, compressed; False, and nothing is done, where that
        would not be smaller.

        An error's effect is `none`.
        """
        packed = self._compression().compress(data)
        if len(packed) >= self._shape.cluster_size:
            return False
        host = self._take(len(packed))
        if host >> self._offset_bits:
            # So far into the file no descriptor reaches.
            self._map.give_back(*self._span(host, len(packed)))
            return False
        self._last = None
        try:
            self._file.write(host, packed)
            self._map.point_compressed(offset >> self._shape.cluster_bits, host, len(packed))
        except BlockError as error:
            error.effect = Effect.NONE
            self._map.give_back(*self._span(host, len(packed)))
            self.forget()
            raise
        self._end = HostOffset(host + len(packed))
        return True

    def forget(self) -> None:
        """Begin a new host cluster with the next one: the last may have been freed."""
        self._end = NOWHERE

    def _span(self, host: HostOffset, length: int) -> tuple[HostOffset, int]:
        """Return the first host cluster that holds a range, and how many do."""
        bits = self._shape.cluster_bits
        first = host >> bits
        return HostOffset(first << bits), ((host + length - 1) >> bits) - first + 1

    def _take(self, length: int) -> HostOffset:
        """Count the host clusters of *length* bytes, behind the last ones where they fit."""
        begun = self._end
        room = -begun & self._shape.cluster_mask
        if not room or not self._refcounts.can_grow(begun >> self._shape.cluster_bits):
            return self._refcounts.allocate(1)[0]
        if length > room:
            fresh = self._refcounts.allocate(1)[0]
            if fresh != begun + room:
                return fresh
        self._refcounts.increase(begun >> self._shape.cluster_bits, 1)
        return begun
