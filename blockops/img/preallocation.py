"""Whether a qcow2 file names more clusters than the host has set aside for it.

Then its data clusters may be holes of the file: somebody has preallocated the tables and not the data.
"""

from blockops.host.api import read_exactly
from blockops.host.posix import PosixFile
from blockops.qcow2.entries import BadEntry, decode_refcount_pointer, decode_refcounts, decode_table
from blockops.qcow2.header import Header


def is_preallocated(file: PosixFile, header: Header) -> bool:
    """Whether a tenth more clusters are counted, and at least two, than the host has set aside.

    The rule is QEMU's (`qcow2_detect_metadata_preallocation`); it costs a look at the refcounts of the file.
    """
    real = file.allocated() >> header.geometry.cluster_bits
    return _counted(file, header) >= max(real * 10 // 9, real + 2)


def _counted(file: PosixFile, header: Header) -> int:
    """Return how many clusters of the file have a refcount above zero."""
    shape = header.geometry
    clusters = shape.clusters(file.size())
    length = min(header.refcount_table_clusters << shape.cluster_bits, -(-clusters >> shape.block_bits) * 8)
    counted = 0
    for index, entry in enumerate(decode_table(read_exactly(file, header.refcount_table_offset, length))):
        try:
            block = decode_refcount_pointer(entry, shape)
        except BadEntry:
            continue
        if block is not None:
            counts = decode_refcounts(read_exactly(file, block, shape.cluster_size), shape.refcount_order)
            here = counts[: clusters - (index << shape.block_bits)]
            counted += len(here) - here.count(0)
    return counted
