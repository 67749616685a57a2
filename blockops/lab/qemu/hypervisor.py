"""A real QEMU as the hypervisor of a case.

Its devices are ours as far as the guest and the gates go: a request that is in flight is given to QEMU when
it completes.  What they show is asked of QEMU after each command.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import attrs

from blockops.commands.profile import Profile
from blockops.device import Device
from blockops.graph.graph import Graph
from blockops.graph.node import ImageNode, Node
from blockops.host.memory import MemoryDisk, MemoryFolder
from blockops.lab.case import Case
from blockops.lab.guest import Guest
from blockops.lab.history import History
from blockops.lab.hosts import Clock, FaultyFolder
from blockops.lab.hypervisor import Hypervisor
from blockops.lab.qemu.exports import Export
from blockops.lab.qemu.linked import LinkedDisk
from blockops.lab.qemu.process import Message, Qemu, fresh
from blockops.machine import Machine
from blockops.management.wish import ImageRef
from blockops.qmp.command import Client, Command, Event
from blockops.qmp.dispatch import Connection, Server
from blockops.steps import Phase, Step, Steps


@attrs.define(eq=False)
class Site:
    """One QEMU at work on one case."""

    qemu: Qemu
    clock: Clock
    disk: LinkedDisk

    def execute(self, command: str, arguments: Mapping[str, object]) -> dict[str, Any]:
        """Let QEMU carry out a command; return its reply."""
        with self.turn():
            return self.qemu.execute(command, arguments)

    def turn(self) -> AbstractContextManager[None]:
        """Let QEMU do something (`Qemu.turn`)."""
        return self.qemu.turn(self.clock, self.disk)


@attrs.define(eq=False)
class Shown:
    """An image that QEMU has open; what is asked of it goes to the device that shows it, or stands on it.

    So a request that was handed in before a switch is carried out on what the device shows by then.
    """

    site: Site
    export: Export
    path: str = ""

    @property
    def size(self) -> int:
        return self.export.size

    def read(self, offset: int, length: int) -> bytes:
        with self.site.turn():
            return self.export.read(offset, length)

    def write(self, offset: int, data: bytes) -> None:
        with self.site.turn():
            self.export.write(offset, data)

    def write_zeroes(self, offset: int, length: int) -> None:
        with self.site.turn():
            self.export.write_zeroes(offset, length)

    def discard(self, offset: int, length: int) -> None:
        """Ask for zeroes that take no room: QEMU keeps what it cannot discard as a whole cluster."""
        self.write_zeroes(offset, length)

    def flush(self) -> None:
        with self.site.turn():
            self.export.flush()

    def resize(self, size: int) -> None:
        raise AssertionError("only QEMU resizes its images")

    take_back_growth = resize

    def close(self) -> None:
        """Nothing: QEMU closes what it has opened."""

    abandon = close


@attrs.define(eq=False)
class Commands:
    """What QEMU offers; none of it is known here."""

    machine: Machine
    profile: Profile
    commands: Mapping[str, Command] = attrs.field(factory=dict)
    events: list[Event] = attrs.field(factory=list)

    def disconnected(self, client: Client) -> Steps[None]:
        yield from ()


class QemuServer(Server):
    """QEMU's monitor; *changed* is called after each command."""

    def __init__(self, commands: Commands, site: Site, changed: Callable[[], None]) -> None:
        super().__init__(commands)
        self.site = site
        self.changed = changed

    def connect(self, name: str) -> "QemuConnection":
        return QemuConnection(server=self, client=Client(name))


@attrs.define(eq=False)
class QemuConnection(Connection):
    """A way to QEMU's monitor.  A command is one step, as it is for QEMU's guest."""

    server: QemuServer

    def execute(self, message: object) -> Steps[dict[str, Any]]:
        assert isinstance(message, dict)
        yield Step(Phase.CHECK, message["execute"])
        reply = self.server.site.execute(message["execute"], message.get("arguments", {}))
        self.server.changed()
        return reply

    def disconnect(self) -> Steps[None]:
        yield from ()


@attrs.define(eq=False)
class QemuHypervisor(Hypervisor):
    """A running QEMU."""

    site: Site = attrs.field(kw_only=True)

    @classmethod
    def start(
        cls,
        case: Case,
        disk: MemoryDisk,
        clock: Clock,
        images: Mapping[str, ImageRef],
        history: History,
        say: Callable[..., None],
    ) -> "QemuHypervisor":
        """Let QEMU show *images*; the disk of the case is `folder.disk` from now on."""
        qemu = fresh()
        linked = qemu.begin(disk, images)
        site, folder = Site(qemu, clock, linked), MemoryFolder(linked)
        machine = Machine(FaultyFolder(folder, clock))
        for name in images:
            machine.graph.tops[name] = None
            machine.devices[name] = Device(name, machine.graph)
        show = partial(_show, machine, site)
        show()
        server = QemuServer(Commands(machine, case.contestant.profile), site, show)
        guest = Guest(case.world, tuple(machine.devices.values()), say, history)
        names = tuple(disk.device for disk in case.world.disks())
        return cls(names, folder, machine, server.connect("management"), guest, {}, site=site)

    def die(self) -> None:
        self.site.qemu.kill()

    def _stray_handles(self) -> tuple[str, ...]:
        expected = Counter(node.path for node in self.machine.graph.open_nodes())
        return tuple(f"{path} is held open by nobody" for path in Counter(self._handles()) - expected)

    def _handles(self) -> Iterator[str]:
        """Yield the name of each file that QEMU has open."""
        root, links = str(self.site.qemu.folder), f"/proc/{self.site.qemu.process.pid}/fd"
        for link in os.listdir(links):
            target = os.readlink(os.path.join(links, link))
            if target.startswith(f"{root}/vm/"):
                yield target.removeprefix(root)


def _show(machine: Machine, site: Site) -> None:
    """Let the graph be what QEMU says of its devices."""
    graph = machine.graph
    (devices,) = site.qemu.ask(Message("query-block"))
    inserted = {info["device"]: info["inserted"]["image"] for info in devices if "inserted" in info}
    for name in graph.tops:
        chain = list(_chain(inserted.get(name)))
        if chain != [node.source.path for node in graph.chain(name)]:
            graph.tops[name] = _nodes(graph, chain, Shown(site, site.qemu.exports[name]))
    graph.collect()


def _nodes(graph: Graph, chain: Sequence[str], shown: Shown) -> Node | None:
    """Return the top of *chain*, top first, of nodes that are open or else made."""
    top: ImageNode | None = None
    for path in reversed(chain):
        node = graph.opened(path)
        if node is None:
            node = ImageNode(graph.new_name(), path, "qcow2", attrs.evolve(shown, path=path), True, top)
            graph.adopt(node)
        top = node
    return top


def _chain(image: Mapping[str, Any] | None) -> Iterator[str]:
    while image is not None:
        yield image["filename"]
        image = image.get("backing-image")
