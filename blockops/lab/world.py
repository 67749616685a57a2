"""What a case starts from: devices, their images and data, the guest's programme, the schedule.

A world is a value: two equal worlds give the same case the same trace on any machine.  Its files live
under the virtual root /vm of an in-memory disk: d0.qcow2, d1.qcow2, … are what the devices show, and
dst/ is the storage that a migration goes to.  A world may instead stand on real images that were
given: they are adopted read-only, and d0.qcow2, … are overlays on them.
"""

import functools
import hashlib
import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import attrs
import cattrs

from blockops.graph.formats import NewImage, Opening, create_image, open_node
from blockops.graph.graph import Graph, reading_path
from blockops.graph.node import Node
from blockops.host.memory import MemoryDisk, MemoryFolder
from blockops.host.pages import PAGE
from blockops.host.posix import PosixFolder
from blockops.lab.cache import Cache
from blockops.lab.given import open_chain
from blockops.lab.sectors import content_of
from blockops.management.desk import Answer, Desk, Lost
from blockops.management.wish import DiskWish, ImageRef
from blockops.steps import Steps, run
from blockops.units import SECTOR, round_down, round_up

ROOT = "/vm"
MANAGEMENT = "/vm/management"
DESTINATION = "/vm/dst"


@attrs.frozen
class Workload:
    """What the guest does: how many steps before and after the operation, and how it writes.

    *sectors* is the longest write across devices, *flush_every* counts writes of the chain lane.  Of the
    commit lane, *record* is the length in bytes of its log records, at most a sector.  Of each device's
    own lane, *in_flight* is how many requests are so at once, *shift* by how many bytes each next one is
    shorter at either end, *discard_every* in which rounds one of them discards (0: never).
    """

    before: int = 6
    after: int = 6
    sectors: int = 3
    flush_every: int = 3
    record: int = 192
    in_flight: int = 2
    shift: int = 192
    discard_every: int = 2


@attrs.frozen
class World:
    """Devices and their images.  *size* and *cluster_size* in bytes, *depth* images below each top.

    *schedule*: how many guest steps follow each step of the operation, repeated for ever.
    *given*: real images (path, format), one for each device, or none.  *cache*: how the hypervisor opens
    its images.  *volumes*: which of a device's new names (`DiskWish`) are fixed volumes that management was
    given; only what management itself makes there can lie on one (`VOLUMES`).
    """

    devices: int = 2
    size: int = 16 * 1024
    cluster_size: int = 4096
    depth: int = 0
    base_format: str = "qcow2"
    workload: Workload = Workload()
    schedule: tuple[int, ...] = (1, 1, 0)
    given: tuple[tuple[str, str], ...] = ()
    cache: Cache = Cache.WRITEBACK
    volumes: tuple[str, ...] = ()

    @property
    def standard(self) -> bool:
        """Whether it is the world that a case id means without naming one."""
        return self == World(devices=self.devices)

    @property
    def name(self) -> str:
        """What a case id says of the world: its devices and, where it is not the standard one, a digest."""
        return f"{self.devices}" if self.standard else f"{self.devices}~{self.digest()}"

    def digest(self) -> str:
        """Return the digest of the world in case ids."""
        text = json.dumps(as_dict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def disks(self) -> tuple[DiskWish, ...]:
        """Return the devices as management sees them."""
        return disk_wishes(self.devices)

    def images(self) -> dict[str, ImageRef]:
        """Return what each device shows when a case begins."""
        return {disk.device: disk.old for disk in self.disks()}

    def volume_names(self) -> frozenset[str]:
        """Return the absolute names of the volumes."""
        return frozenset(getattr(disk, role) for disk in self.disks() for role in self.volumes)


VOLUMES: Mapping[str, tuple[str, ...]] = {
    "switch-many": ("overlay",),
    "migrate-one": ("target", "target_base"),
    "migrate-many": ("target", "target_base"),
}
"""For each use case whose new images management prepares, which of their names may be volumes.

Where a command makes the image, hardened commands refuse a name that is there, so volumes are not tried.
"""

_OLD_BYTES = b"what the volume held before".ljust(PAGE, b"?")
_VOLUME_CLUSTERS = 16
"""How many clusters a volume has beyond those of two whole disks: metadata has room in them."""


@functools.cache
def disk_wishes(devices: int) -> tuple[DiskWish, ...]:
    """Return the names that the first *devices* devices have in every world."""
    return tuple(_disk_wish(number) for number in range(devices))


def _disk_wish(number: int) -> DiskWish:
    return DiskWish(
        device=f"d{number}",
        old=ImageRef(f"{ROOT}/d{number}.qcow2", "qcow2"),
        overlay=f"{ROOT}/s{number}.qcow2",
        target_base=f"{DESTINATION}/d{number}.qcow2",
        target=f"{DESTINATION}/s{number}.qcow2",
    )


def as_dict(world: World) -> dict[str, Any]:
    """Return *world* as JSON can hold it."""
    plain: dict[str, Any] = cattrs.unstructure(world)
    return plain


def from_dict(plain: dict[str, Any]) -> World:
    """Return the world that `as_dict` made *plain* of."""
    return cattrs.structure(plain, World)


@functools.lru_cache(maxsize=64)
def initial_disk(world: World) -> MemoryDisk:
    """Return the disk that every case of *world* forks: never write to it."""
    disk = MemoryDisk()
    folder = MemoryFolder(disk)
    for name in (MANAGEMENT, DESTINATION):
        folder.make_folder(name)
    for number in range(world.devices):
        _make_device(folder, world, number)
    for name in sorted(world.volume_names()):
        room = 2 * world.size + _VOLUME_CLUSTERS * world.cluster_size
        disk.make_volume(name, round_up(room, PAGE), _OLD_BYTES)
    run(Desk(folder, _nobody).configure(world.images()))
    folder.close_all()
    disk.digest()  # forks inherit what was hashed once
    return disk


def _nobody(command: str, arguments: Mapping[str, object]) -> Steps[Answer]:
    """A channel with nobody at its end: there is no hypervisor yet."""
    yield from ()
    return Lost()


def _make_device(folder: MemoryFolder, world: World, number: int) -> None:
    top = f"d{number}.qcow2"
    if world.given:
        _stand_on_given(folder, world, number, top)
        return
    below: tuple[str, str] | None = None
    for level in range(world.depth + 1):
        format = world.base_format if level == 0 and world.depth else "qcow2"
        name = top if level == world.depth else f"base{number}-{level}.{format}"
        _make_image(folder, world, name, format, below)
        _fill(folder, world, number, name, format, level)
        below = (name, format)


def _make_image(
    folder: MemoryFolder, world: World, name: str, format: str, below: tuple[str, str] | None
) -> None:
    backing, backing_format = (None, None) if below is None else below
    create_image(
        folder,
        NewImage(name, format, world.size, backing, backing_format, world.cluster_size),
        durable=True,
    )


def _fill(folder: MemoryFolder, world: World, number: int, name: str, format: str, level: int) -> None:
    """Give the image initial data: the base in the first half, each image above a cluster further on."""
    half = max(SECTOR, world.size // 2 // SECTOR * SECTOR)
    start = 0 if level == 0 else min(half + (level - 1) * world.cluster_size, world.size - SECTOR)
    start = round_down(start, SECTOR)
    length = half if level == 0 else min(world.cluster_size, world.size - start)
    graph = Graph()
    node = open_node(graph, folder, name, format, Opening(lock=False))
    node.write(start, content_of(number, start // SECTOR, round_up(length, SECTOR) // SECTOR, 0))
    node.flush()
    graph.collect()


def _stand_on_given(folder: MemoryFolder, world: World, number: int, top: str) -> None:
    """Adopt the given image and all below it under their real names, and put an overlay on it."""
    path, format = world.given[number]
    chain = open_chain(path)
    for node in reading_path(chain):
        _adopt(folder.disk, node)
    create_image(
        folder,
        NewImage(top, "qcow2", chain.size, path, format, world.cluster_size),
        durable=True,
    )


def _adopt(disk: MemoryDisk, node: Node) -> None:
    path = node.source.path
    if disk.exists(path):
        return
    parents = PurePosixPath(path).parents
    for parent in reversed(parents):
        if not disk.exists(str(parent)):
            disk.make_folder(str(parent))
    disk.adopt(path, PosixFolder("/").open(path, writable=False))
