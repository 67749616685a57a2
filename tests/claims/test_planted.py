"""An answer follows the code: with one defect planted in one contestant it is another one."""

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

import proposals.freeze.api as freeze_api
import proposals.transaction.commands as transaction_commands
from blockops.commands import snapshot as snapshot_module
from blockops.commands.action import Action, held_still, prepare_all, switch_all
from blockops.commands.profile import Profile
from blockops.commands.reopen import DriveReopen, ReopenOf2012, reopen_action
from blockops.commands.resize import ResizeAction
from blockops.commands.snapshot import SnapshotSync, snapshot_action, snapshot_sync
from blockops.device import Device
from blockops.graph.blkmirror import MirrorNode
from blockops.lab.results import Answer
from blockops.machine import Machine
from blockops.management.contestant import Manager
from blockops.management.desk import Desk
from blockops.management.wish import Wish
from blockops.qmp.schema import parse
from blockops.steps import Phase, Step, Steps
from proposals.claims.page import answer
from proposals.drive_migrate.arguments import DriveMigrate
from proposals.drive_migrate.commands import DriveMigrateCommands
from proposals.freeze import management as freeze_management
from proposals.group_snapshot import GroupSnapshotSync, SnapshotDev
from proposals.group_snapshot import management as group_management
from proposals.group_snapshot.commands import GroupSnapshotCommands
from tests.quality.bugs_commands import commit_before_the_last_prepare, freeze_without_a_gate, no_drain

Patch = pytest.MonkeyPatch


def group_that_looks_first(patch: Patch) -> None:
    programs = group_management.PROGRAMS[Manager.NAIVE]
    usual = programs["group-snapshot"]
    assert callable(usual)

    def looking(desk: Desk, wish: Wish) -> Steps[None]:
        yield from desk.must("query-block")
        yield from usual(desk, wish)

    patch.setitem(programs, "group-snapshot", looking)


def group_that_can_migrate(patch: Patch) -> None:
    programs = group_management.PROGRAMS[Manager.CAREFUL]
    patch.setitem(programs, "migrate-many", programs["group-snapshot"])


def server_that_ignores_what_it_does_not_know(patch: Patch) -> None:

    def lenient(arguments: type, message: dict[str, Any], aliases: dict[str, str]) -> object:
        known = {field.name.replace("_", "-") for field in attrs.fields(SnapshotDev)}
        entries = [{name: one[name] for name in one if name in known} for one in message["devlist"]]
        return parse(arguments, {"devlist": entries} if arguments is GroupSnapshotSync else message, aliases)

    patch.setattr("proposals.claims.cody.parse", lenient)


def group_that_nobody_has_written(patch: Patch) -> None:
    def nothing(commands: GroupSnapshotCommands, wanted: GroupSnapshotSync) -> Steps[None]:
        yield from ()

    patch.setattr(GroupSnapshotCommands, "_hardened", nothing)


def single_snapshot_by_a_pivot(patch: Patch) -> None:
    """What the merged group snapshot does, for the old command as well."""

    def pivoting(machine: Machine, wanted: SnapshotSync) -> Steps[None]:
        action = snapshot_action(machine, Profile.AS_POSTED, wanted)
        yield from prepare_all([action])
        yield from switch_all(machine, held_still(machine, Profile.AS_POSTED, wanted.device), [action])

    patch.setattr(snapshot_module, "_snapshot_of_2012", pivoting)


def reopen_that_closes_first(patch: Patch) -> None:
    def of_2012(machine: Machine, profile: Profile, wanted: DriveReopen, user: str | None) -> ReopenOf2012:
        return ReopenOf2012(machine, wanted.device, wanted.source, wanted.format, user)

    patch.setattr(transaction_commands, "reopen_action", of_2012)


def reopen_that_opens_first(patch: Patch) -> None:
    """As-posted transactions reopen as hardened ones do: the new image is open before the commit."""

    def hardened(machine: Machine, profile: Profile, wanted: DriveReopen, user: str | None) -> Action:
        return reopen_action(machine, Profile.HARDENED, wanted, user=user)

    patch.setattr(transaction_commands, "reopen_action", hardened)


def migration_that_knows_its_own_image(patch: Patch) -> None:
    """Given the image that the device shows, drive-migrate only mirrors."""
    usual = DriveMigrateCommands._actions

    def knowing(commands: DriveMigrateCommands, wanted: DriveMigrate) -> list[Action]:
        actions = usual(commands, wanted)
        shown = commands.machine.device(wanted.device).medium.source.path
        return actions[1:] if wanted.new_source == shown else actions

    patch.setattr(DriveMigrateCommands, "_actions", knowing)


def mirror_that_forgets_its_target(patch: Patch) -> None:
    patch.setattr(MirrorNode, "write", lambda mirror, offset, data: mirror.upper.write(offset, data))


def no_way_back_for_a_resize(patch: Patch) -> None:
    def staying(action: ResizeAction) -> Iterator[Step]:
        yield Step(Phase.RESIZE, action.device)

    patch.setattr(ResizeAction, "revert", staying)


def naive_manager_that_takes_care(patch: Patch) -> None:
    careful = freeze_management.PROGRAMS[Manager.CAREFUL]["group-snapshot"]
    patch.setitem(freeze_management.PROGRAMS[Manager.NAIVE], "group-snapshot", careful)


def frozen_snapshots_with_other_clusters(patch: Patch) -> None:
    def other(machine: Machine, profile: Profile, wanted: SnapshotSync) -> Steps[None]:
        machine.cluster_size = 8192
        yield from snapshot_sync(machine, profile, wanted)

    patch.setattr(freeze_api, "snapshot_sync", other)


def drain_that_waits_for_the_queue(patch: Patch) -> None:
    def settled(device: Device) -> Steps[None]:
        while device.in_flight or device.queue:
            if device.in_flight:
                yield Step(Phase.DRAIN, device.name, waits_for=device)
            else:
                yield Step(Phase.DRAIN, device.name)

    patch.setattr(Device, "settled", settled)


@attrs.frozen
class Changed:
    """A planted defect, and what a claim says without it and with it."""

    claim: str
    before: Answer
    after: Answer
    plant: Callable[[Patch], None]


CONFIRMED, REFUTED, INCONCLUSIVE = Answer.CONFIRMED, Answer.REFUTED, Answer.INCONCLUSIVE

PLANTED = [
    Changed("J2", CONFIRMED, REFUTED, group_that_looks_first),
    Changed("J3", CONFIRMED, REFUTED, group_that_can_migrate),
    Changed("J4", CONFIRMED, REFUTED, server_that_ignores_what_it_does_not_know),
    Changed("J5", CONFIRMED, REFUTED, single_snapshot_by_a_pivot),
    Changed("P1", INCONCLUSIVE, REFUTED, reopen_that_closes_first),
    Changed("P1", INCONCLUSIVE, CONFIRMED, reopen_that_opens_first),
    Changed("P2", CONFIRMED, REFUTED, mirror_that_forgets_its_target),
    Changed("P3", CONFIRMED, INCONCLUSIVE, single_snapshot_by_a_pivot),
    Changed("P5", CONFIRMED, REFUTED, group_that_nobody_has_written),
    Changed("A1", INCONCLUSIVE, CONFIRMED, no_way_back_for_a_resize),
    Changed("A2", CONFIRMED, REFUTED, mirror_that_forgets_its_target),
    Changed("A3", CONFIRMED, REFUTED, frozen_snapshots_with_other_clusters),
    Changed("A4", CONFIRMED, INCONCLUSIVE, commit_before_the_last_prepare),
    Changed("A4", CONFIRMED, REFUTED, naive_manager_that_takes_care),
    Changed("A3", CONFIRMED, REFUTED, freeze_without_a_gate),
    Changed("F2", CONFIRMED, REFUTED, migration_that_knows_its_own_image),
    Changed("F3", CONFIRMED, INCONCLUSIVE, no_drain),
    Changed("F3", CONFIRMED, INCONCLUSIVE, freeze_without_a_gate),
    Changed("A6", CONFIRMED, INCONCLUSIVE, commit_before_the_last_prepare),
    Changed("A7", CONFIRMED, INCONCLUSIVE, drain_that_waits_for_the_queue),
]


@pytest.mark.parametrize("changed", PLANTED, ids=lambda one: f"{one.claim}-{one.plant.__name__}")
def test_a_planted_defect_changes_the_answer(changed: Changed, monkeypatch: Patch) -> None:
    sound = answer(changed.claim)
    assert sound.answer is changed.before, sound.sentence
    changed.plant(monkeypatch)
    broken = answer(changed.claim)
    assert broken.answer is changed.after, broken.sentence
    assert broken.figures != sound.figures
