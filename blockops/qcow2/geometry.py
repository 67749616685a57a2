"""How an image is divided: cluster, table and refcount sizes, all powers of two.

A guest cluster number splits into an L1 index and an L2 index; a host cluster number into an index into
the refcount table and one into a refcount block (spec: "Cluster mapping", "Host cluster management").
"""

from functools import lru_cache

import attrs

MIN_CLUSTER_BITS = 9
MAX_CLUSTER_BITS = 21
MAX_REFCOUNT_ORDER = 6
# Extended L2 entries divide each cluster into so many subclusters (spec: "Extended L2 Entries").
SUBCLUSTERS = 32
MIN_EXTENDED_CLUSTER_BITS = 14
ENTRY_SIZE = 8
# Limits of QEMU's implementation, kept so that what we write opens there (spec: "size" and
# "Host cluster management").
MAX_L1_BYTES = 32 * 1024 * 1024
MAX_REFCOUNT_TABLE_BYTES = 8 * 1024 * 1024


@attrs.frozen
class Geometry:
    """The fixed sizes of one image; everything else about its shape follows from these four."""

    cluster_bits: int
    refcount_order: int = 4
    version: int = 3
    extended_l2: bool = False

    cluster_size: int = attrs.field(init=False)
    cluster_mask: int = attrs.field(init=False)
    l2_bits: int = attrs.field(init=False)
    l2_entries: int = attrs.field(init=False)
    l2_mask: int = attrs.field(init=False)
    l2_words: int = attrs.field(init=False)
    block_bits: int = attrs.field(init=False)
    block_entries: int = attrs.field(init=False)
    block_mask: int = attrs.field(init=False)

    @cluster_size.default
    def _cluster_size(self) -> int:
        return 1 << self.cluster_bits

    @cluster_mask.default
    def _cluster_mask(self) -> int:
        return self.cluster_size - 1

    @l2_bits.default
    def _l2_bits(self) -> int:
        return self.cluster_bits - (4 if self.extended_l2 else 3)

    @l2_entries.default
    def _l2_entries(self) -> int:
        return 1 << self.l2_bits

    @l2_mask.default
    def _l2_mask(self) -> int:
        return self.l2_entries - 1

    @l2_words.default
    def _l2_words(self) -> int:
        # How many 64-bit words an L2 entry has: the second is the bitmap of its subclusters.
        return 2 if self.extended_l2 else 1

    @block_bits.default
    def _block_bits(self) -> int:
        return self.cluster_bits + 3 - self.refcount_order

    @block_entries.default
    def _block_entries(self) -> int:
        return 1 << self.block_bits

    @block_mask.default
    def _block_mask(self) -> int:
        return self.block_entries - 1

    @property
    def refcount_bits(self) -> int:
        """The width of one reference count in bits."""
        return 1 << self.refcount_order

    @property
    def max_refcount(self) -> int:
        """The largest reference count that fits."""
        return (1 << self.refcount_bits) - 1

    @property
    def max_size(self) -> int:
        """The largest virtual size in bytes that the largest allowed L1 table can map."""
        return MAX_L1_BYTES // ENTRY_SIZE << (self.cluster_bits + self.l2_bits)

    def clusters(self, length: int) -> int:
        """Return how many clusters hold *length* bytes."""
        return (length + self.cluster_mask) >> self.cluster_bits

    def l1_entries(self, size: int) -> int:
        """Return how many L1 entries map a virtual disk of *size* bytes."""
        return -(-size >> (self.cluster_bits + self.l2_bits)) if size else 0

    def split_guest(self, cluster: int) -> tuple[int, int]:
        """Return the L1 index and the L2 index of a guest cluster number."""
        return cluster >> self.l2_bits, cluster & self.l2_mask

    def split_host(self, cluster: int) -> tuple[int, int]:
        """Return the refcount table index and the refcount block index of a host cluster number."""
        return cluster >> self.block_bits, cluster & self.block_mask


@lru_cache(maxsize=256)
def geometry(
    cluster_bits: int, refcount_order: int = 4, version: int = 3, extended_l2: bool = False
) -> Geometry:
    """Return the geometry with these sizes; equal ones are one object, because images are opened often."""
    return Geometry(cluster_bits, refcount_order, version, extended_l2)
