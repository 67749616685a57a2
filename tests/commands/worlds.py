"""A small machine on a memory disk: device dN shows /vm/dN.qcow2."""

from collections.abc import Iterator

import attrs

from blockops.commands.profile import Profile, opening
from blockops.device import Device, Operation, Request
from blockops.errors import CommandError
from blockops.graph.formats import NewImage, backing_of, create_image, open_node
from blockops.graph.graph import Graph, reading_path
from blockops.graph.node import ImageNode
from blockops.host.memory import MemoryDisk, MemoryFolder
from blockops.machine import Machine
from blockops.steps import Phase, Step, Steps
from tests.commands.failing import FailingFolder

SIZE = 64 * 1024
CLUSTER = 4096


@attrs.define(eq=False)
class World:
    """A running machine, the disk that outlives it, and the wrapped host between them."""

    profile: Profile
    disk: MemoryDisk
    memory: MemoryFolder
    host: FailingFolder
    machine: Machine

    def device(self, name: str = "d0") -> Device:
        return self.machine.devices[name]

    def files(self) -> list[str]:
        """The names of all files, without their folder /vm/."""
        return [name.removeprefix("/vm/") for name in self.memory.names()]

    def create(self, filename: str, **how: object) -> None:
        """Create an image as management would, with `qemu-img create`."""
        fields = {"format": "qcow2", "size": SIZE, "cluster_size": CLUSTER} | how
        create_image(MemoryFolder(self.disk), NewImage(filename, **fields), durable=True)  # type: ignore[arg-type]

    def chain(self, name: str = "d0") -> list[str]:
        """The files that a read of the device passes, live, top first."""
        return files_of(self.machine.graph, name)

    def recorded(self, filename: str) -> tuple[str, str | None] | None:
        """The backing name and format in the header of an image file."""
        node = open_quietly(self.disk, filename)
        try:
            return backing_of(node)
        finally:
            node.abandon()

    def content(self, filename: str, length: int = 8) -> bytes:
        """What an image reads as at its beginning when it is opened from disk, by its headers alone."""
        graph = Graph()
        folder = MemoryFolder(self.disk.fork())
        return open_node(graph, folder, filename, None, opening(Profile.AS_POSTED)).read(0, length)

    def handles(self) -> list[str]:
        """The files that the machine has open, one entry a handle."""
        return sorted(handle.path for handle in self.memory.handles)


def open_quietly(disk: MemoryDisk, filename: str) -> ImageNode:
    how = attrs.evolve(opening(Profile.AS_POSTED), backing=False, writable=False)
    return open_node(Graph(), MemoryFolder(disk.fork()), filename, None, how)


def files_of(graph: Graph, device: str) -> list[str]:
    nodes = reading_path(graph.tops[device])
    return [node.path.removeprefix("/vm/") for node in nodes if isinstance(node, ImageNode)]


def make_world(profile: Profile, devices: int = 2) -> World:
    """Return a machine whose device dN reads b"old-N" at its beginning."""
    disk = MemoryDisk()
    for folder in ("/vm/dst", "/vm/other"):
        disk.make_folder(folder)
    memory = MemoryFolder(disk)
    host = FailingFolder(memory)
    machine = Machine(host, cluster_size=CLUSTER, opening=opening(profile))
    world = World(profile, disk, memory, host, machine)
    for number in range(devices):
        world.create(f"/vm/d{number}.qcow2")
        device = machine.attach(f"d{number}", f"/vm/d{number}.qcow2", "qcow2")
        device.write(0, b"old-%d" % number)
        device.flush()
    host.log.clear()
    return world


def outcome(steps: Steps[object]) -> CommandError | None:
    """Run steps to their end and return the `CommandError` in which they end, if any."""
    try:
        trace(steps)
    except CommandError as error:
        return error
    return None


def error_of(steps: Steps[object]) -> CommandError:
    """Run steps that must end in a `CommandError`, and return it."""
    error = outcome(steps)
    assert error is not None, "the command succeeded"
    return error


def trace(steps: Steps[object]) -> list[str]:
    """Run steps to their end and return them as text, waiting steps left out."""
    return [str(step) for step in walk(steps) if step.waits_for is None]


def walk(steps: Steps[object]) -> Iterator[Step]:
    """Yield the steps of *steps* as they happen; what they wait for is completed."""
    for step in steps:
        yield step
        if step.waits_for is not None:
            step.waits_for.complete_next()


def until(steps: Steps[object], phase: Phase, subject: str | None = None) -> None:
    """Run *steps* until a step of this kind has happened."""
    for step in walk(steps):
        if step.phase is phase and subject in (None, step.subject):
            return
    raise AssertionError(f"there was no step {phase.value} {subject}")


def write(data: bytes, offset: int = 0) -> Request:
    return Request(Operation.WRITE, offset, len(data), data)


def read(length: int = 8, offset: int = 0) -> Request:
    return Request(Operation.READ, offset, length)
