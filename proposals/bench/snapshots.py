"""A snapshot of many devices at one instant, beside QEMU's own transaction of as many.

Ours is the hardened group snapshot, every overlay durable before anybody switches.  The guest of a device
stands still from the drain to the end, which is the same for all; QEMU drains each device when it prepares
that one and lets all go at the end, so on the average a device stands for half of the transaction.
"""

import shutil
import time
from pathlib import Path

import attrs

from blockops.commands.profile import Profile
from blockops.graph.formats import NewImage, create_image
from blockops.lab.bench import peers
from blockops.machine import Machine
from blockops.qmp.command import Client
from blockops.steps import Phase
from proposals.bench.rows import Goal, Work
from proposals.bench.site import Site
from proposals.group_snapshot import GroupSnapshotSync, SnapshotDev
from proposals.group_snapshot.commands import GroupSnapshotCommands

DEVICES = 128
_SIZE = 1024 * 1024
_TRANSACTION = "QEMU's transaction"


@attrs.frozen
class Took:
    """How many seconds a snapshot took, and for how many of them each guest stood still."""

    whole: float
    stall: float


def ours(site: Site) -> Took:
    """Take a snapshot of all devices; nothing of it stays."""
    with _Devices(site) as names:
        machine = Machine(site.folder)
        for number, name in enumerate(names):
            machine.attach(f"d{number}", name)
        took = _stepped(machine, names)
        machine.close()
    return took


def _stepped(machine: Machine, names: list[str]) -> Took:
    wanted = GroupSnapshotSync(tuple(SnapshotDev(f"d{n}", f"{name}.new") for n, name in enumerate(names)))
    steps = GroupSnapshotCommands(machine, Profile.HARDENED).group_snapshot(Client("bench"), wanted)
    begin = time.perf_counter()
    before, drained = begin, None
    for step in steps:
        if drained is None and step.phase is Phase.DRAIN:
            drained = before
        before = time.perf_counter()
    end = time.perf_counter()
    return Took(end - begin, end - (drained or begin))


def qemu(site: Site) -> Took | None:
    """Let a QEMU that is running already do the same; None where there is none, or where it refuses."""
    tool = shutil.which(peers.QEMU)
    if tool is None:
        return None
    with _Devices(site) as names, peers.running(tool, len(names)) as monitor:
        try:
            monitor.begin(Path(names[0]).parent)
            begin = time.perf_counter()
            monitor.snapshot(Path(names[0]).parent)
            whole = time.perf_counter() - begin
        except (OSError, ValueError):
            return None
    return Took(whole, whole / 2)


@attrs.define
class _Devices:
    """The images of all devices, in a folder of their own, for as long as the block runs."""

    site: Site

    def __enter__(self) -> list[str]:
        path = self._path()
        path.mkdir()
        names = [str(path / f"d{number}.qcow2") for number in range(DEVICES)]
        for name in names:
            create_image(self.site.folder, NewImage(name, "qcow2", _SIZE), durable=False)
        return names

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._path())

    def _path(self) -> Path:
        return self.site.path / "devices"


def _whole(took: Took | None) -> float | None:
    return None if took is None else took.whole


def _stall(took: Took | None) -> float | None:
    return None if took is None else took.stall


SNAPSHOTS: tuple[Work, ...] = (
    Work(
        f"group snapshot, {DEVICES} devices, durable",
        (),
        None,
        lambda site: _whole(ours(site)),
        {_TRANSACTION: lambda site: _whole(qemu(site))},
        (Goal(_TRANSACTION, 3),),
    ),
    Work(
        "the same: how long a guest stands",
        (),
        None,
        lambda site: _stall(ours(site)),
        {_TRANSACTION: lambda site: _stall(qemu(site))},
        (Goal(_TRANSACTION, 20),),
    ),
)
