"""What a fresh process reads from an image on the disk, remembered by what all files of its chain hold."""

import functools

from blockops.errors import BlockError
from blockops.graph.formats import Opening, open_node
from blockops.graph.graph import Graph, reading_path
from blockops.graph.node import ImageNode
from blockops.host.memory import MemoryDisk, MemoryFolder
from blockops.lab.evidence import Shown
from blockops.lab.images import chain_on_disk
from blockops.lab.world import MANAGEMENT, World, initial_disk

_READ_ONLY = Opening(writable=False, lock=False, share=False)


@functools.lru_cache(maxsize=64)
def initial_devices(world: World) -> tuple[Shown, ...]:
    """Return what each device showed when the case began, as far as the guest works in it."""
    disk = initial_disk(world)
    return tuple(read_image(disk, wish.old.path, world.size) for wish in world.disks())


def read_image(disk: MemoryDisk, path: str, window: int) -> Shown:
    """Read an image by its headers, or remember what it read as when all files of its chain were these."""
    chain = tuple(chain_on_disk(disk, path))
    key = (window, *((name, _digest(disk, name)) for name in chain))
    known = _remembered.get(key)
    if known is None:
        if len(_remembered) >= _ROOM:
            _remembered.clear()
        known = _remembered[key] = _read_afresh(disk, path, window)
    return known


_remembered: dict[tuple[object, ...], Shown] = {}
_ROOM = 200


def _digest(disk: MemoryDisk, path: str) -> bytes | None:
    return disk.content("read", path).digest() if disk.exists(path) else None


def _read_afresh(disk: MemoryDisk, path: str, window: int) -> Shown:
    graph, folder = Graph(), MemoryFolder(disk)
    try:
        node = open_node(graph, folder, path, None, _READ_ONLY)
        chain = tuple(below.path for below in reading_path(node) if isinstance(below, ImageNode))
        return Shown(path, chain, node.read(0, min(window, node.size)), node.size)
    except BlockError as error:
        return Shown(path, problem=str(error))
    finally:
        folder.close_all()


def digests(disk: MemoryDisk) -> dict[str, bytes]:
    """Return the hash of every file but management's own."""
    names = (name for name in disk.names("/vm") if not name.startswith(MANAGEMENT))
    return {name: disk.content("read", name).digest() for name in names}
