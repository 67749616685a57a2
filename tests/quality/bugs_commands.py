"""Defects planted in the commands that the proposals share, and in the proposals."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence

import attrs
import pytest

import blockops.commands.action as action_module
import blockops.commands.exchange as exchange_module
import blockops.commands.images as images_module
import blockops.commands.reopen as reopen_module
import proposals.freeze.management as freeze_management
import proposals.transaction.commands as transaction_module
from blockops.commands.action import Action, commit_all, prepare_all, switch_all
from blockops.commands.images import Images
from blockops.commands.pivot import Pivot
from blockops.commands.profile import Profile, opening
from blockops.commands.reopen import ReopenAction
from blockops.commands.snapshot import snapshot_action
from blockops.device import Device, drain, resume
from blockops.errors import CommandError, Leftover
from blockops.graph.blkmirror import MirrorNode
from blockops.graph.formats import NewImage, Opening
from blockops.graph.node import ImageNode, Node
from blockops.machine import Machine
from blockops.management.desk import Desk
from blockops.management.wish import Wish
from blockops.qmp.command import Client
from blockops.steps import Step, Steps
from proposals.group_snapshot.arguments import GroupSnapshotSync
from proposals.group_snapshot.commands import GroupSnapshotCommands
from proposals.transaction.commands import TransactionCommands
from proposals.transaction.state import Move
from tests.quality.planting import Bug, where

GROUP = where("group-snapshot.hardened.naive", "group-snapshot")
PACES = ("no-fault", "guest-runs", "guest-lags")
UNBROKEN = where("group-snapshot.hardened.naive", "group-snapshot", *PACES)
ERRORS = ("eio", "enospc", "short", "torn")


# ---------------------------------------------------------------------------------- drain, order, gate


def no_drain(patch: pytest.MonkeyPatch) -> None:
    def skipped(devices: Iterable[Device]) -> Steps[None]:
        yield from ()

    patch.setattr(action_module, "drain", skipped)
    patch.setattr(action_module, "resume", lambda devices: None)


def drain_that_does_not_wait(patch: pytest.MonkeyPatch) -> None:
    def impatient(device: Device) -> Iterator[Step]:
        yield from ()

    patch.setattr(Device, "settled", impatient)


def commit_before_the_last_prepare(patch: pytest.MonkeyPatch) -> None:
    def eager(commands: GroupSnapshotCommands, client: Client, wanted: GroupSnapshotSync) -> Steps[None]:
        for entry in wanted.devlist:
            actions = [snapshot_action(commands.machine, commands.profile, entry)]
            yield from prepare_all(actions)
            yield from switch_all(commands.machine, commands.machine.devices.values(), actions)

    patch.setattr(GroupSnapshotCommands, "group_snapshot", eager)


def freeze_without_a_gate(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Device, "freeze", Device.settled)
    patch.setattr(Device, "unfreeze", lambda device: None)


def no_thaw_after_an_error(patch: pytest.MonkeyPatch) -> None:
    def forgetful(desk: Desk, wish: Wish, steps: Steps[None]) -> Steps[None]:
        yield from steps

    patch.setattr(freeze_management, "_thaw_after", forgetful)


# -------------------------------------------------------------------------------------------- replies


def swallowed_error(patch: pytest.MonkeyPatch) -> None:
    honest = GroupSnapshotCommands.group_snapshot

    def smiling(commands: GroupSnapshotCommands, client: Client, wanted: GroupSnapshotSync) -> Steps[None]:
        with contextlib.suppress(CommandError):
            yield from honest(commands, client, wanted)

    patch.setattr(GroupSnapshotCommands, "group_snapshot", smiling)


def missing_return(patch: pytest.MonkeyPatch) -> None:
    def switch_anyway(machine: Machine, drained: Iterable[Device], actions: Sequence[Action]) -> Steps[None]:
        held, failure = list(drained), None
        try:
            yield from drain(held)
            for action in actions:
                try:
                    yield from action.secure()
                except CommandError as error:
                    failure = error
            yield from commit_all(machine, actions)
        finally:
            resume(held)
        if failure is not None:
            raise failure

    patch.setattr(reopen_module, "switch_all", switch_anyway)


def wrong_device_in_the_error(patch: pytest.MonkeyPatch) -> None:
    honest = images_module.naming
    other = {"d0": "d1", "d1": "d0"}
    patch.setattr(images_module, "naming", lambda filename, device: honest(filename, other[device]))


# ---------------------------------------------------------------------------------- what images rest on


def reopen_without_backing(patch: pytest.MonkeyPatch) -> None:
    def stale_flags(profile: Profile) -> Opening:
        return attrs.evolve(opening(profile), backing=False)

    patch.setattr(exchange_module, "opening", stale_flags)


def stale_backing(patch: pytest.MonkeyPatch) -> None:
    def remembered(action: ReopenAction, node: ImageNode) -> Node | None:
        top = action.machine.device(action.device).top
        return None if top is None else top.source.backing

    patch.setattr(ReopenAction, "_recorded_backing", remembered)


def wrong_size(patch: pytest.MonkeyPatch) -> None:
    honest = Images._overlay

    def rounded(images: Images, filename: str, format: str, base: Node) -> NewImage:
        return attrs.evolve(honest(images, filename, format, base), size=base.size + 65536)

    patch.setattr(Images, "_overlay", rounded)


def mirror_of_the_source_only(patch: pytest.MonkeyPatch) -> None:
    def half(node: MirrorNode, offset: int, data: bytes) -> None:
        node.upper.write(offset, data)

    patch.setattr(MirrorNode, "write", half)


# ------------------------------------------------------------------------------------------ cleaning up


def nothing_unlinked(patch: pytest.MonkeyPatch) -> None:
    def lazy(images: Images) -> Steps[tuple[Leftover, ...]]:
        yield from ()
        return ()

    patch.setattr(Images, "remove", lazy)


def existing_file_wiped(patch: pytest.MonkeyPatch) -> None:
    honest = Images._create

    def ruthless(images: Images, new: NewImage) -> None:
        honest(images, attrs.evolve(new, replace=True))

    patch.setattr(Images, "_refuse_existing", lambda images, filename: None)
    patch.setattr(Images, "_create", ruthless)


def reservation_kept(patch: pytest.MonkeyPatch) -> None:
    def forgetful(commands: TransactionCommands, client: Client) -> None:
        commands.queue.clear()
        commands.session.move(Move.END, client)

    patch.setattr(transaction_module.TransactionCommands, "_end", forgetful)


def leaked_handle(patch: pytest.MonkeyPatch) -> None:
    def careless(action: Pivot) -> Steps[tuple[Leftover, ...]]:
        action.plan.revert()
        yield from ()
        return (yield from action.images.remove())

    patch.setattr(Pivot, "abort", careless)


def roll_back_closes_the_guest_s_image(patch: pytest.MonkeyPatch) -> None:
    honest = Pivot.abort

    def heavy_handed(action: Pivot) -> Steps[tuple[Leftover, ...]]:
        top = action.machine.device(action.device).top
        leftovers = yield from honest(action)
        if top is not None:
            top.abandon()
        return leftovers

    patch.setattr(Pivot, "abort", heavy_handed)


BUGS = (
    Bug(
        "the pivot happens without a drain",
        "lab.md, planted bugs",
        UNBROKEN,
        "one-instant",
        no_drain,
    ),
    Bug(
        "the drain before a mirror does not wait for what is in flight",
        "lab.md: a request can be in flight across any step, and a missing drain shows",
        where("transaction.hardened.naive", "migrate-one", *PACES),
        "content",
        drain_that_does_not_wait,
    ),
    Bug(
        "the drain before a close does not wait for what is in flight",
        "semantics.md, section 2: drain, flush, close, open",
        where("transaction.as-posted.naive", "switch-many", *PACES),
        "guest-undisturbed",
        drain_that_does_not_wait,
    ),
    Bug(
        "each device is committed before the next is prepared",
        "lab.md, planted bugs",
        GROUP,
        "all-or-nothing",
        commit_before_the_last_prepare,
    ),
    Bug(
        "each device is committed before the next is prepared: not one instant either",
        "lab.md, planted bugs",
        UNBROKEN,
        "one-instant",
        commit_before_the_last_prepare,
    ),
    Bug(
        "a frozen device starts requests",
        "semantics.md, section 4: the plain meaning of freeze",
        where("freeze.hardened.careful", "group-snapshot", *PACES),
        "one-instant",
        freeze_without_a_gate,
    ),
    Bug(
        "the unfreeze is forgotten on the error path",
        "lab.md, planted bugs",
        where("freeze.as-posted.careful", "group-snapshot", *ERRORS),
        "released",
        no_thaw_after_an_error,
    ),
    Bug(
        "an error of prepare is swallowed",
        "lab.md, planted bugs",
        GROUP,
        "truthful",
        swallowed_error,
    ),
    Bug(
        "drive-reopen reports an error and switches all the same",
        "semantics.md, section 2: the missing return",
        where("drive-migrate.hardened.naive", "switch-many"),
        "truthful",
        missing_return,
    ),
    Bug(
        "the error names the other device",
        "lab.md, law names-the-culprit",
        GROUP,
        "names-the-culprit",
        wrong_device_in_the_error,
    ),
    Bug(
        "a reopen loses the backing: the flags still say that there is none",
        "semantics.md, section 2: reopen after a snapshot",
        where("drive-migrate.as-posted.naive", "switch-many", "no-fault"),
        "content",
        reopen_without_backing,
    ),
    Bug(
        "a reopen keeps the backing of the image before",
        "semantics.md, section 2: the stale backing name",
        where("transaction.hardened.naive", "migrate-one", "no-fault"),
        "same-after-reopen",
        stale_backing,
    ),
    Bug(
        "the overlay is larger than its base",
        "semantics.md, section 1: the size is taken from the base",
        where("group-snapshot.as-posted.naive", "group-snapshot", "no-fault"),
        "sound",
        wrong_size,
    ),
    Bug(
        "the mirror writes to the source only",
        "semantics.md, section 2: writes go to both legs",
        where("transaction.hardened.naive", "migrate-one", "no-fault"),
        "nothing-lost",
        mirror_of_the_source_only,
    ),
    Bug(
        "a failure leaves the overlays behind",
        "semantics.md, section 1: nothing is unlinked",
        GROUP,
        "tidy",
        nothing_unlinked,
    ),
    Bug(
        "the overlays left behind are in the way of the second attempt",
        "semantics.md, section 1: nothing is unlinked",
        where("group-snapshot.hardened.naive", "retry", *ERRORS),
        "repeatable",
        nothing_unlinked,
    ),
    Bug(
        "an existing file is wiped",
        "semantics.md, section 1: a file at the path is truncated",
        where("group-snapshot.hardened.naive", "group-snapshot", "occupied"),
        "tidy",
        existing_file_wiped,
    ),
    Bug(
        "an aborted transaction keeps its reservations",
        "lab.md, law released",
        where("transaction.hardened.careful", "group-snapshot", *ERRORS),
        "released",
        reservation_kept,
    ),
    Bug(
        "an aborted overlay stays open",
        "lab.md, law released: no descriptor is held",
        GROUP,
        "released",
        leaked_handle,
    ),
    Bug(
        "the roll-back closes the image that the guest works on",
        "lab.md, law guest-undisturbed",
        where("group-snapshot.hardened.naive", "group-snapshot", *ERRORS),
        "guest-undisturbed",
        roll_back_closes_the_guest_s_image,
    ),
)
