"""A small machine on a memory host, driven by a proposal's Python API.

Device dN shows /vm/dN.qcow2; /vm/dst is the storage that a migration goes to.  The machine reaches its
files through the lab's fault injector; management's own work on files does not fail here.
"""

from collections.abc import Callable, Mapping

import attrs

from blockops.commands.profile import Profile, opening
from blockops.errors import BlockError
from blockops.graph.formats import NewImage, Opening, backing_of, create_image, open_node
from blockops.graph.graph import Graph
from blockops.graph.node import ImageNode
from blockops.host.memory import MemoryDisk, MemoryFolder
from blockops.lab.faults import parse_fault
from blockops.lab.hosts import Clock, FaultyFolder
from blockops.machine import Machine
from blockops.management.desk import Answer, Desk, Lost
from blockops.management.wish import ImageRef
from blockops.steps import Steps, run

SIZE = 64 * 1024
CLUSTER = 4096
DESTINATION = "/vm/dst"


@attrs.define(eq=False)
class Bench:
    """A machine, the disk below it, the clock that counts (and fails) its host operations.

    *size*: of each image, in bytes.
    """

    disk: MemoryDisk
    clock: Clock
    machine: Machine
    size: int

    @property
    def names(self) -> list[str]:
        """The devices."""
        return list(self.machine.devices)

    def make(self, path: str, backing: str | None = None) -> None:
        """Create an image as management would beforehand (`qemu-img create`)."""
        format = None if backing is None else "qcow2"
        new = NewImage(path, "qcow2", self.size, backing, format, CLUSTER)
        create_image(MemoryFolder(self.disk), new, durable=True)

    def copy(self, source: str, target: str) -> None:
        """Copy an image with all below it (`qemu-img convert`)."""
        desk = Desk(MemoryFolder(self.disk), _nobody)
        run(desk.copy(ImageRef(source, "qcow2"), ImageRef(target, "qcow2")))

    def write(self, text: bytes, offset: int = 0) -> None:
        """Let the guest write to every device."""
        for number, device in enumerate(self.machine.devices.values()):
            device.write(offset, text + b"%d" % number)

    def content(self, path: str) -> bytes:
        """Return what an image reads as when it is opened from the disk by its headers alone."""
        node = open_node(Graph(), MemoryFolder(self.disk.fork()), path, "qcow2", Opening(lock=False))
        return node.read(0, node.size)

    def backing(self, path: str) -> str | None:
        """Return the backing name that an image records."""
        how = Opening(lock=False, backing=False)
        node = open_node(Graph(), MemoryFolder(self.disk.fork()), path, "qcow2", how)
        recorded = backing_of(node)
        return None if recorded is None else recorded[0]

    def tops(self) -> tuple[str | None, ...]:
        """Return what each device shows; a mirror as "SOURCE+mirror"."""
        return tuple(
            None
            if device.top is None
            else device.top.source.path + ("" if isinstance(device.top, ImageNode) else "+mirror")
            for device in self.machine.devices.values()
        )

    def sizes(self) -> tuple[int, ...]:
        """Return each device's size in bytes."""
        return tuple(device.medium.size for device in self.machine.devices.values())

    def files(self) -> Mapping[str, bytes]:
        """Return the hash of every file, after everything in memory was written out."""
        self.machine.flush_all()
        return {name: self.disk.content("read", name).digest() for name in self.disk.names("/vm")}


def bench(profile: Profile, devices: int = 2, fault: str = "no-fault", size: int = SIZE) -> Bench:
    """Return a machine whose device dN reads b"old-N" at its beginning; *fault* is armed."""
    disk = MemoryDisk()
    disk.make_folder(DESTINATION)
    clock = Clock(parse_fault(fault), recording=True)
    machine = Machine(FaultyFolder(MemoryFolder(disk), clock), cluster_size=CLUSTER, opening=opening(profile))
    made = Bench(disk, clock, machine, size)
    for number in range(devices):
        made.make(f"/vm/d{number}.qcow2")
        machine.attach(f"d{number}", f"/vm/d{number}.qcow2", "qcow2")
    made.write(b"old-")
    machine.flush_all()
    clock.actor, clock.running = "hypervisor", True
    return made


def tried(attempt: Callable[[], None]) -> BlockError | None:
    """Return the error in which an attempt ended, if it did."""
    try:
        attempt()
    except BlockError as error:
        return error
    return None


def differing(first: bytes, second: bytes) -> int:
    """Return the number of bytes in which two disks differ."""
    different = sum(one != other for one, other in zip(first, second, strict=False))
    return different + abs(len(first) - len(second))


def _nobody(command: str, arguments: Mapping[str, object]) -> Steps[Answer]:
    yield from ()
    return Lost()
