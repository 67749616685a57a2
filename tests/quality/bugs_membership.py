"""Defects planted where several kinds of changes are made together, and where devices come and go."""

from collections.abc import Iterable, Sequence

import pytest

import blockops.commands.action as action_module
import proposals.transaction.commands as transaction_module
from blockops.commands.action import Action, commit_all
from blockops.commands.reopen import ReopenAction
from blockops.device import Device
from blockops.errors import CommandError
from blockops.machine import Machine
from blockops.steps import Steps
from tests.quality.planting import Bug, where

PACES = ("no-fault", "guest-runs", "guest-lags")


def one_switch_after_the_other(patch: pytest.MonkeyPatch) -> None:
    def separately(machine: Machine, drained: Iterable[Device], actions: Sequence[Action]) -> Steps[None]:
        for action in actions:
            yield from action_module.switch_all(machine, [machine.device(action.device)], [action])

    patch.setattr(transaction_module, "switch_all", separately)


def reopens_first_and_for_good(patch: pytest.MonkeyPatch) -> None:
    def hasty(machine: Machine, drained: Iterable[Device], actions: Sequence[Action]) -> Steps[None]:
        reopens = [action for action in actions if isinstance(action, ReopenAction)]
        others = [action for action in actions if action not in reopens]
        for some in (reopens, others):
            yield from action_module.switch_all(machine, [machine.device(one.device) for one in some], some)

    patch.setattr(transaction_module, "switch_all", hasty)


def no_way_back_for_the_others(patch: pytest.MonkeyPatch) -> None:
    def stubborn(machine: Machine, actions: Sequence[Action]) -> Steps[None]:
        for action in actions:
            yield from action.commit()
        for action in actions:
            action.finish()

    patch.setattr(action_module, "commit_all", stubborn)


def a_gone_device_is_passed_over(patch: pytest.MonkeyPatch) -> None:
    def tolerant(machine: Machine, actions: Sequence[Action]) -> Steps[None]:
        yield from commit_all(machine, [one for one in actions if one.device in machine.devices])

    def secured(actions: Sequence[Action]) -> Steps[None]:
        for action in actions:
            try:
                yield from action.secure()
            except CommandError:
                continue

    patch.setattr(action_module, "commit_all", tolerant)
    patch.setattr(action_module, "_secure_all", secured)


def the_error_of_a_missing_device_names_nobody(patch: pytest.MonkeyPatch) -> None:
    def vague(machine: Machine, name: str) -> Device:
        if name not in machine.devices:
            raise CommandError
        return machine.devices[name]

    patch.setattr(Machine, "device", vague)


def stop_forgets_the_newcomer(patch: pytest.MonkeyPatch) -> None:
    honest = Machine.attach

    def forgetful(machine: Machine, name: str, filename: str | None, format: str | None = None) -> Device:
        device = honest(machine, name, filename, format)
        device.holds.extend(device.holds[:1])
        return device

    patch.setattr(Machine, "attach", forgetful)


BUGS = (
    Bug(
        "the mirrors of a transaction begin one after the other",
        "issue 3: mirrors begun without a common drain",
        where("transaction.hardened.naive", "mirror-many", *PACES),
        "one-instant",
        one_switch_after_the_other,
    ),
    Bug(
        "a transaction switches the reopened disk first and cannot take it back",
        "issue 3: a mixed transaction that commits the reopen first",
        where("transaction.hardened.naive", "mixed", "eio"),
        "all-or-nothing",
        reopens_first_and_for_good,
    ),
    Bug(
        "a device that is unplugged leaves the others half switched",
        "issue 3: membership",
        where("transaction.hardened.naive", "membership"),
        "all-or-nothing",
        no_way_back_for_the_others,
    ),
    Bug(
        "a device that is gone is passed over, and the command succeeds",
        "issue 3: membership",
        where("transaction.hardened.naive", "membership"),
        "truthful",
        a_gone_device_is_passed_over,
    ),
    Bug(
        "the error about a missing device names nobody",
        "semantics.md, section 1: DeviceNotFound{device}",
        where("transaction.hardened.naive", "group-snapshot", "unplugged"),
        "names-the-culprit",
        the_error_of_a_missing_device_names_nobody,
    ),
    Bug(
        "a device that is plugged in while the guest is stopped stays stopped",
        "issue 3: membership",
        where("stop-cont.as-posted.careful", "membership", "added"),
        "progress",
        stop_forgets_the_newcomer,
    ),
)
