"""Defects that only a broken channel, a dead hypervisor or a new management process brings out."""

from collections.abc import Sequence

import pytest

import blockops.management.recovery as recovery_module
import proposals.drive_migrate.management as drive_migrate_management
from blockops.commands.action import prepare_all, switch_all
from blockops.lab.world import Workload, World
from blockops.management.careful import done, intend
from blockops.management.desk import Desk
from blockops.management.programs import Move
from blockops.management.wish import Wish
from blockops.qmp.command import Client
from blockops.steps import Steps
from proposals.group_snapshot.arguments import GroupSnapshotSync
from proposals.group_snapshot.commands import GroupSnapshotCommands
from proposals.transaction.commands import TransactionCommands
from tests.quality.bugs_commands import existing_file_wiped
from tests.quality.planting import Bug, where

# So busy that the guest flushes what it wrote to the first new image before the second one is shown.
BUSY = World(devices=2, workload=Workload(flush_every=1), schedule=(6,))
CAREFUL = "group-snapshot.hardened.careful"


def transaction_left_open(patch: pytest.MonkeyPatch) -> None:
    def ignored(commands: TransactionCommands, client: Client) -> Steps[None]:
        yield from ()

    patch.setattr(TransactionCommands, "disconnected", ignored)


def configuration_believed(patch: pytest.MonkeyPatch) -> None:
    def credulous(desk: Desk, wish: Wish, means: object) -> Steps[None]:
        yield from desk.configure(desk.configuration())

    patch.setattr(recovery_module, "_ended", credulous)


def noted_afterwards(patch: pytest.MonkeyPatch) -> None:
    def not_yet(desk: Desk, moves: Sequence[Move]) -> Steps[None]:
        yield from ()

    def both(desk: Desk, moves: Sequence[Move]) -> Steps[None]:
        yield from intend(desk, moves)
        yield from done(desk, moves)

    patch.setattr(drive_migrate_management, "intend", not_yet)
    patch.setattr(drive_migrate_management, "done", both)


def never_twice_the_same(patch: pytest.MonkeyPatch) -> None:
    ended = recovery_module._ended

    def hoarding(desk: Desk, wish: Wish, means: recovery_module.Means) -> Steps[None]:
        number = sum(1 for note in (yield from desk.notes()) if note["kind"] == "recovered")
        desk.host.create(f"/vm/kept-{number}", replace=True).close()
        yield from ended(desk, wish, means)

    patch.setattr(recovery_module, "_ended", hoarding)


def answered_before_the_pivot(patch: pytest.MonkeyPatch) -> None:
    waiting: dict[int, GroupSnapshotSync] = {}

    def hasty(commands: GroupSnapshotCommands, wanted: GroupSnapshotSync) -> Steps[None]:
        waiting[id(commands)] = wanted
        yield from ()

    def later(commands: GroupSnapshotCommands, client: Client) -> Steps[None]:
        wanted = waiting.pop(id(commands), None)
        if wanted is not None:
            actions = commands._actions(wanted)
            yield from prepare_all(actions)
            yield from switch_all(commands.machine, commands.machine.devices.values(), actions)

    patch.setattr(GroupSnapshotCommands, "_hardened", hasty)
    patch.setattr(GroupSnapshotCommands, "disconnected", later)


BUGS = (
    Bug(
        "a command that arrives twice wipes what it has made the first time",
        "lab.md, faults: command delivered twice",
        where("group-snapshot.hardened.naive", "group-snapshot", "twice"),
        "content",
        existing_file_wiped,
    ),
    Bug(
        "a transaction stays open when its connection ends",
        "semantics.md, section 3: disconnect aborts",
        where("transaction.hardened.naive", "group-snapshot", "disconnect"),
        "released",
        transaction_left_open,
    ),
    Bug(
        "a new manager believes the configuration instead of looking",
        "lab.md, law recoverable",
        where(CAREFUL, "group-snapshot", "manager-restarts"),
        "recoverable",
        configuration_believed,
    ),
    Bug(
        "the notes are written after the command instead of before",
        "lab.md, the careful manager: notes before each step",
        where("drive-migrate.hardened.careful", "switch-many", "kill", world=BUSY),
        "recoverable",
        noted_afterwards,
    ),
    Bug(
        "a recovery that is run again leaves one more file behind",
        "lab.md, law recoverable: idempotent",
        where("transaction.hardened.careful", "group-snapshot", "manager-restarts"),
        "recoverable",
        never_twice_the_same,
    ),
    Bug(
        "the answer is sent before the pivot",
        "lab.md, law recoverable: a new manager finds what the answer said",
        where(CAREFUL, "group-snapshot", "manager-restarts", "manager-dies", "disconnect"),
        "recoverable",
        answered_before_the_pivot,
    ),
)
