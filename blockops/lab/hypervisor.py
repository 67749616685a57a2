"""The hypervisor of a case: one process with a contestant's commands, its devices, and the guest in it.

Killing it is abrupt: no code of it touches the disk again, its handles and locks are released, its
memory is gone.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

import attrs

from blockops.commands.profile import opening
from blockops.errors import BlockError
from blockops.graph.graph import everything_below, reading_path
from blockops.graph.node import ImageNode, Node
from blockops.host.memory import MemoryDisk, MemoryFolder
from blockops.jobs.job import ENDS
from blockops.lab.case import Case
from blockops.lab.evidence import Rest, Shown
from blockops.lab.guest import Guest
from blockops.lab.history import History
from blockops.lab.hosts import Clock, FaultyFolder
from blockops.lab.mirrors import targets_of
from blockops.machine import Machine
from blockops.management.wish import ImageRef
from blockops.qmp.dispatch import Connection, Server


@attrs.define(eq=False)
class Hypervisor:
    """A running process; `start` brings one up.

    It speaks of the world's devices, *names*, whatever else is plugged in; *unplugged* is what those showed
    that are no longer there.
    """

    names: tuple[str, ...]
    folder: MemoryFolder
    machine: Machine
    connection: Connection
    guest: Guest
    problems: Mapping[str, str]
    unplugged: dict[str, Shown] = attrs.field(factory=dict)
    _seen: tuple[list[Node | None], int] | None = None
    _tops: tuple[str | None, ...] = ()
    _faces: tuple[str | None, ...] = ()

    @classmethod
    def start(
        cls,
        case: Case,
        disk: MemoryDisk,
        clock: Clock,
        images: Mapping[str, ImageRef],
        history: History,
        say: Callable[..., None],
    ) -> "Hypervisor":
        """Start a process on *images*; a device whose image does not open has no medium, and a problem."""
        folder = MemoryFolder(disk)
        entry, profile = case.contestant.entry, case.contestant.profile
        machine = Machine(
            FaultyFolder(folder, clock, case.world.cache),
            cluster_size=case.world.cluster_size,
            opening=opening(profile),
            write_through=case.world.cache.write_through,
        )
        problems = {name: text for name, image in images.items() if (text := _attach(machine, name, image))}
        connection = Server(entry.make(machine, profile)).connect("management")
        guest = Guest(case.world, tuple(machine.devices.values()), say, history)
        names = tuple(disk.device for disk in case.world.disks())
        return cls(names, folder, machine, connection, guest, problems)

    def die(self) -> None:
        """End the process abruptly."""
        self.folder.close_all()

    def unplug(self, name: str, before: str | None) -> None:
        """Take a device away, whatever goes on; what it showed stays known.

        *before* is what it showed when the command in progress began: between a close and an open a device
        shows nothing, and its data are where they were.
        """
        top = self.machine.device(name).top
        shown = Shown(before) if top is None else Shown(top.source.path, mirrors=targets_of(top))
        self.unplugged[name] = shown
        self.machine.detach(name)

    def tops(self) -> tuple[str | None, ...]:
        """Return the path of the image that each device shows."""
        self._look()
        return self._tops

    def faces(self) -> tuple[str | None, ...]:
        """Return what each device shows, and where else its writes go."""
        self._look()
        return self._faces

    def _look(self) -> None:
        """See what each device shows, if any shows something else than when this was last asked."""
        seen = list(self.machine.graph.tops.values()), len(self.unplugged)
        if seen == self._seen:
            return
        self._seen, now = seen, tuple(self._now())
        self._tops = tuple(one.top for one in now)
        self._faces = tuple(
            shown.top and " mirrored onto ".join([shown.top, *shown.mirrors]) for shown in now
        )

    def _now(self) -> Iterator[Shown]:
        """Yield what each device shows, or showed when it went, without its data."""
        for name in self.names:
            top = self.machine.graph.tops.get(name)
            if name in self.unplugged:
                yield self.unplugged[name]
            else:
                yield Shown(None) if top is None else Shown(top.source.path, mirrors=targets_of(top))

    def opened(self) -> tuple[str, ...]:
        """Return the images that are open."""
        return tuple(node.path for node in self.machine.graph.open_nodes())

    def read_paths(self) -> set[str]:
        """Return the images that the guest reads from, through whatever chain."""
        return {
            node.path
            for device in self.machine.devices.values()
            for node in reading_path(device.top)
            if isinstance(node, ImageNode)
        }

    def told(self) -> frozenset[str]:
        """Return the devices of which an event has told that their job has ended."""
        events = self.connection.server.proposal.events
        return frozenset(str(event.data["device"]) for event in events if event.name in ENDS)

    def gate_closed(self) -> bool:
        """Whether any device holds its guest back."""
        return any(device.holds for device in self.machine.devices.values())

    def shown(self, window: int) -> tuple[Shown, ...]:
        """Read the first *window* bytes of every device as the guest would, gates or not.

        Of a device that is no longer there only what it showed is known.
        """
        return tuple(self._shown(name, window, self.problems.get(name)) for name in self.names)

    def _shown(self, name: str, window: int, problem: str | None) -> Shown:
        if name in self.unplugged:
            return self.unplugged[name]
        top = self.machine.device(name).top
        if top is None:
            return Shown(None, problem=problem or "it has no medium")
        path = tuple(node.path for node in reading_path(top) if isinstance(node, ImageNode))
        try:
            data = top.read(0, min(window, top.size))
        except BlockError as error:
            return Shown(top.source.path, path, size=top.size, problem=str(error))
        return Shown(top.source.path, path, data, top.size, mirrors=targets_of(top))

    def rest(self) -> Rest:
        """Return what the process holds on to although nothing is going on."""
        devices = self.machine.devices.values()
        held = [
            f"{device.name} is held back ({', '.join(hold.value for hold in device.holds)}), "
            f"{len(device.queue)} requests wait"
            for device in devices
            if device.holds
        ]
        held += [f"{device.name} has a request in flight" for device in devices if device.in_flight]
        # Where a job is at work the device is mirrored, and that says it already.
        at_work = [job.device for job in self.machine.background]
        reserved = [
            f"{device.name} is reserved by {device.user}"
            for device in devices
            if device.user and device.name not in at_work
        ]
        return Rest(tuple(held), tuple(reserved), self._stray_handles())

    def _stray_handles(self) -> tuple[str, ...]:
        expected = Counter(
            node.path
            for device in self.machine.devices.values()
            if device.top is not None
            for node in everything_below(device.top)
            if isinstance(node, ImageNode)
        )
        stray = Counter(handle.path for handle in self.folder.handles) - expected
        return tuple(f"{path} is held open by nobody" for path in stray)


def _attach(machine: Machine, name: str, image: ImageRef) -> str | None:
    """Attach the image; where it does not open attach no medium, and return why."""
    try:
        machine.attach(name, image.path, image.format)
    except BlockError as error:
        machine.attach(name, None)
        return str(error)
    return None
