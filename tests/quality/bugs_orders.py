"""Defects that only another order of steps reveals: under the scheduler's own no single fault does.

A drain that ends too early matters only where enough is in flight just then.  What it leaves in flight still
lands where it was sent: after a pivot that shows when the hypervisor dies before the table that leads to the
data is written; after a close it shows at once.
"""

from collections.abc import Iterable, Sequence

import pytest

import blockops.commands.action as action_module
import proposals.transaction.commands as transaction_module
from blockops.commands.action import Action, commit_all
from blockops.device import Device, Hold, resume
from blockops.machine import Machine
from blockops.steps import Phase, Step, Steps
from tests.quality.planting import Bug, Where

_PATIENCE = 2


def settled_after_two(patch: pytest.MonkeyPatch) -> None:
    def settled(device: Device) -> Steps[None]:
        for _ in range(_PATIENCE):
            before = len(device.in_flight)
            while device.in_flight and len(device.in_flight) == before:
                yield Step(Phase.DRAIN, device.name, waits_for=device)
        yield Step(Phase.DRAIN, device.name)

    patch.setattr(Device, "settled", settled)


def only_the_first_is_settled(patch: pytest.MonkeyPatch) -> None:
    def drain(devices: Iterable[Device]) -> Steps[None]:
        held = list(devices)
        for device in held:
            device.close_gate(Hold.DRAIN)
        yield from held[0].settled()

    patch.setattr(action_module, "drain", drain)


def the_last_is_flushed_too_early(patch: pytest.MonkeyPatch) -> None:
    def switch_all(machine: Machine, drained: Iterable[Device], actions: Sequence[Action]) -> Steps[None]:
        *others, last = held = list(drained)
        try:
            for device in held:
                device.close_gate(Hold.DRAIN)
            for device in others:
                yield from device.settled()
            for action in actions:
                yield from action.secure()
            yield from last.settled()
            yield from commit_all(machine, actions)
        finally:
            resume(held)

    patch.setattr(transaction_module, "switch_all", switch_all)


BUGS = (
    Bug(
        "the drain before a close waits for two requests at most",
        "QEMU's bdrv_drain_all goes round until nothing is in flight on any device",
        Where("transaction.as-posted.naive", "switch-many", under="g-1@1", orders=1),
        "content",
        settled_after_two,
    ),
    Bug(
        "the drain before a close waits for the first device only",
        "QEMU's bdrv_drain_all goes round until nothing is in flight on any device",
        Where("transaction.as-posted.naive", "switch-many", orders=1),
        "guest-undisturbed",
        only_the_first_is_settled,
    ),
    Bug(
        "the last device is flushed before what is in flight on it has ended",
        "semantics.md, section 1: drain, flush, then switch",
        Where("transaction.hardened.naive", "group-snapshot", frozenset({"kill"}), under="g-1@38"),
        "content",
        the_last_is_flushed_too_early,
    ),
    Bug(
        "the last device is flushed before what is in flight on it has ended: no restart can tell",
        "semantics.md, section 2: drain, flush, close, open",
        Where("transaction.hardened.naive", "switch-many", frozenset({"kill"}), under="g-1@35"),
        "recoverable",
        the_last_is_flushed_too_early,
    ),
)
