"""A small machine under one contestant, and a desk whose channel and host can be made to fail."""

from collections.abc import Callable, Mapping

import attrs

from blockops.commands.profile import opening
from blockops.errors import BlockError, HostError
from blockops.graph.formats import NewImage, Opening, create_image, open_node
from blockops.graph.graph import Graph
from blockops.host.memory import MemoryDisk, MemoryFolder
from blockops.host.memory_file import MemoryFile
from blockops.jobs.job import run_jobs
from blockops.lab.evidence import Shown
from blockops.lab.laws.atomicity import state_of
from blockops.lab.mirrors import targets_of
from blockops.machine import Machine
from blockops.management.contestant import Contestant
from blockops.management.desk import Answer, Channel, Desk, Lost, Replied, local_channel
from blockops.management.use_cases import Expectation, UseCase
from blockops.management.wish import DiskWish, ImageRef
from blockops.qmp.dispatch import Connection, Server
from blockops.steps import Phase, Step, Steps, run

SIZE = 32 * 1024
CLUSTER = 4096

Trouble = Callable[[int, str], str | None]
"""What befalls the n-th command of this name: "refused", "lost" (the answer), "silence" (from now on)."""


def no_trouble(number: int, command: str) -> str | None:
    return None


def disk_wish(number: int) -> DiskWish:
    return DiskWish(
        device=f"d{number}",
        old=ImageRef(f"/vm/d{number}.qcow2", "qcow2"),
        overlay=f"/vm/s{number}.qcow2",
        target_base=f"/vm/dst/d{number}.qcow2",
        target=f"/vm/dst/s{number}.qcow2",
    )


def content(number: int) -> bytes:
    """What device *number* holds when a scene begins."""
    return bytes([number + 1]) * 6000 + bytes(SIZE - 6000)


class FailingFolder(MemoryFolder):
    """Fails what *fails* says: (operation, path) → errno."""

    fails: Mapping[tuple[str, str], int] = {}

    def create(self, name: str, *, replace: bool) -> MemoryFile:
        self._maybe("create", name)
        return super().create(name, replace=replace)

    def open(self, name: str, *, writable: bool) -> MemoryFile:
        self._maybe("open", name)
        return super().open(name, writable=writable)

    def rename(self, old: str, new: str) -> None:
        self._maybe("rename", old)
        super().rename(old, new)

    def _maybe(self, operation: str, name: str) -> None:
        code = self.fails.get((operation, self.resolve(name)))
        if code is not None:
            raise HostError(operation, self.resolve(name), code)


@attrs.define(eq=False)
class Scene:
    """A machine of *count* devices; *commands* is what management sent so far."""

    contestant: Contestant
    count: int = 2
    trouble: Trouble = no_trouble
    disk: MemoryDisk = attrs.field(factory=MemoryDisk)
    machine: Machine = attrs.field(init=False)
    connection: Connection = attrs.field(init=False)
    commands: list[str] = attrs.field(factory=list)
    silent: bool = False

    def __attrs_post_init__(self) -> None:
        for folder in ("/vm/management", "/vm/dst"):
            self.disk.make_folder(folder)
        for number in range(self.count):
            self._make_image(number)
        host = FailingFolder(self.disk)
        self.machine = Machine(host, cluster_size=CLUSTER, opening=opening(self.contestant.profile))
        for wish in self.wishes:
            self.machine.attach(wish.device, wish.old.path, wish.old.format)
        proposal = self.contestant.entry.make(self.machine, self.contestant.profile)
        self.connection = Server(proposal).connect("management")
        run(self.desk().configure({wish.device: wish.old for wish in self.wishes}))

    def _make_image(self, number: int) -> None:
        folder, path = MemoryFolder(self.disk), disk_wish(number).old.path
        create_image(folder, NewImage(path, "qcow2", SIZE, cluster_size=CLUSTER), durable=True)
        node = open_node(Graph(), folder, path, "qcow2", Opening())
        node.write(0, content(number))
        node.close()

    @property
    def wishes(self) -> tuple[DiskWish, ...]:
        return tuple(disk_wish(number) for number in range(self.count))

    @property
    def host(self) -> FailingFolder:
        """The hypervisor's host."""
        assert isinstance(self.machine.host, FailingFolder)
        return self.machine.host

    def desk(self) -> Desk:
        return Desk(FailingFolder(self.disk), self._channel())

    def program(self, use_case: UseCase, desk: Desk | None = None) -> Steps[None]:
        program = self.contestant.program(use_case.id)
        assert callable(program)
        return program(desk or self.desk(), use_case.wish(self.wishes))

    def _channel(self) -> Channel:
        send = local_channel(self.connection)

        def troubled(command: str, arguments: Mapping[str, object]) -> Steps[Answer]:
            kind = None if self.silent else self.trouble(len(self.commands), command)
            self.commands.append(command)
            self.silent = self.silent or kind == "silence"
            if self.silent:
                yield Step(Phase.SEND, command)
                return Lost()
            if kind == "refused":
                yield Step(Phase.SEND, command)
                return Replied(False, None, "GenericError", "refused by the test")
            answer = yield from send(command, arguments)
            run_jobs(self.machine)
            return Lost() if kind == "lost" else answer

        return troubled

    # ------------------------------------------------------------------------------------- what holds

    def tops(self) -> list[str | None]:
        tops = [self.machine.graph.tops[wish.device] for wish in self.wishes]
        return [None if top is None else top.source.path for top in tops]

    def states(self, use_case: UseCase) -> list[str]:
        """Whether each device is "old", "new" or "neither"."""
        return [state_of(*pair) for pair in zip(self.expectations(use_case), self.shown(), strict=True)]

    def shown(self) -> list[Shown]:
        tops = [self.machine.graph.tops[wish.device] for wish in self.wishes]
        return [
            Shown(None) if top is None else Shown(top.source.path, mirrors=targets_of(top)) for top in tops
        ]

    def configured(self) -> list[str]:
        configuration = self.desk().configuration()
        return [configuration[wish.device].path for wish in self.wishes]

    def files(self) -> set[str]:
        """All files but management's own."""
        return {name for name in self.disk.names("/vm") if not name.startswith("/vm/management")}

    def live(self) -> list[bytes | None]:
        """What the guest reads; None where it cannot."""
        return [self._read_live(wish.device) for wish in self.wishes]

    def _read_live(self, device: str) -> bytes | None:
        try:
            return self.machine.device(device).medium.read(0, SIZE)
        except BlockError:
            return None

    def stands_still(self) -> bool:
        """Whether a device is held back, or reserved by anybody but a job (which `targets_of` shows)."""
        at_work = [job.device for job in self.machine.background]
        devices = self.machine.devices.values()
        return any(device.holds or (device.user and device.name not in at_work) for device in devices)

    def expectations(self, use_case: UseCase) -> list[Expectation]:
        return list(use_case.expectations(self.wishes))

    def read(self, image: ImageRef) -> bytes:
        """What a fresh process reads that starts from *image*."""
        graph = Graph()
        how = Opening(writable=False, lock=False, share=False)
        node = open_node(graph, MemoryFolder(self.disk), image.path, image.format, how)
        return node.read(0, SIZE)


def intact(count: int) -> list[bytes]:
    """What the devices hold if nothing was lost."""
    return [content(number) for number in range(count)]
