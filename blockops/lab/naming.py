"""Naming a fault point afterwards: which structure of which image did that host operation touch?

Nothing in production code says so; it is decoded from the file as the case left it, where structures
once placed stay.
"""

import posixpath
from collections.abc import Iterator

from blockops.errors import BlockError
from blockops.host.api import HostFile
from blockops.host.memory import MemoryDisk, MemoryFolder
from blockops.lab.faults.fault import HostOperation
from blockops.lab.world import World
from blockops.qcow2.entries import OFFSET_MASK, decode_table
from blockops.qcow2.header import Header, read_header

_VERBS = {
    "create": "creation",
    "open": "opening",
    "read": "read of",
    "write": "write of",
    "truncate": "truncation",
    "flush": "flush",
    "rename": "renaming",
    "unlink": "removal",
    "sync": "sync of the folder",
}


def fault_point(operation: HostOperation, disk: MemoryDisk, world: World) -> str:
    """Return a sentence such as "d1: overlay s1.qcow2: write of the L1 table (hypervisor)"."""
    verb = _VERBS[operation.operation]
    if operation.operation in ("read", "write"):
        verb = f"{verb} {structure_at(disk, operation.path, operation.offset)}"
    return f"{owner_and_role(operation.path, world)}: {verb} (by the {operation.actor})"


def owner_and_role(path: str, world: World) -> str:
    """Return the device and the part that a file plays in a use case."""
    for wish in world.disks():
        roles = {
            wish.old.path: "old image",
            wish.overlay: "overlay",
            wish.target: "target",
            wish.target_base: "copy of the old image",
        }
        if path in roles:
            return f"{wish.device}: {roles[path]} {posixpath.basename(path)}"
    return path


def structure_at(disk: MemoryDisk, path: str, offset: int) -> str:
    """Return which structure of the image at *path* lies at *offset* bytes."""
    folder = MemoryFolder(disk, "/")
    try:
        file = folder.open(path, writable=False)
        header = read_header(file)
        return next((name for name, start, end in _structures(file, header) if start <= offset < end), "data")
    except BlockError:
        return f"bytes at {offset}"
    finally:
        folder.close_all()


def _structures(file: HostFile, header: Header) -> Iterator[tuple[str, int, int]]:
    cluster = header.geometry.cluster_size
    yield "the header", 0, cluster
    table = header.refcount_table_offset
    table_length = header.refcount_table_clusters * cluster
    yield "the refcount table", table, table + table_length
    yield "the L1 table", header.l1_offset, header.l1_offset + header.l1_entries * 8
    for block in _pointers(file, table, table_length):
        yield "a refcount block", block, block + cluster
    for l2_table in _pointers(file, header.l1_offset, header.l1_entries * 8):
        yield "an L2 table", l2_table, l2_table + cluster


def _pointers(file: HostFile, offset: int, length: int) -> Iterator[int]:
    data = file.read(offset, length)
    return (entry & OFFSET_MASK for entry in decode_table(data[: len(data) // 8 * 8]) if entry & OFFSET_MASK)
