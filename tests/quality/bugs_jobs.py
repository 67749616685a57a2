"""Defects planted in the mirror job and in the list transaction beside it."""

from collections.abc import Iterable, Sequence

import pytest

import blockops.jobs.mirror as mirror_module
from blockops.commands.action import prepare_all, switch_all
from blockops.commands.pivot import Pivot
from blockops.device import Device
from blockops.graph.tracking import DirtyMap, TrackingNode
from blockops.jobs.job import Work
from blockops.jobs.mirror import MirrorJob
from blockops.steps import Phase, Step, Steps
from proposals.merged_transaction.arguments import Data
from proposals.merged_transaction.commands import MergedTransactionCommands
from tests.quality.planting import Bug, where

CAREFUL = "merged-transaction.hardened.careful"
PACES = ("no-fault", "guest-runs", "guest-lags")
MOVING = where(CAREFUL, "migrate-one", *PACES)
MIRRORING = where(CAREFUL, "mirror-many", "no-fault", "eio")
GROUP = where(CAREFUL, "group-snapshot", "eio", "enospc")


def cleared_after_the_copy(patch: pytest.MonkeyPatch) -> None:
    def copy(job: MirrorJob, chunk: int) -> Work[None]:
        offset, length = job.node.dirty.range_of(chunk)
        data = job.node.upper.read(offset, length)
        yield Step(Phase.COPY, "source")
        job.node.target.write(offset, data)
        job.node.dirty.clear(chunk)
        yield Step(Phase.COPY, "target")

    patch.setattr(MirrorJob, "_copy", copy)


def ready_before_it_has_converged(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(DirtyMap, "next", lambda dirty, start: None)
    patch.setattr(DirtyMap, "count", 0)


def switched_without_a_drain(patch: pytest.MonkeyPatch) -> None:
    def skipped(devices: Iterable[Device]) -> Steps[None]:
        yield from ()

    patch.setattr(mirror_module, "drain", skipped)
    patch.setattr(mirror_module, "resume", lambda devices: None)


def errors_of_the_target_are_the_guests(patch: pytest.MonkeyPatch) -> None:
    original = TrackingNode.write

    def write(node: TrackingNode, offset: int, data: bytes) -> None:
        original(node, offset, data)
        node.target.write(offset, data)

    patch.setattr(TrackingNode, "write", write)


def each_action_is_committed_at_once(patch: pytest.MonkeyPatch) -> None:
    def eager(commands: MergedTransactionCommands, wanted: Sequence[Data]) -> Steps[None]:
        for one in wanted:
            actions = [commands._action(one)]
            yield from prepare_all(actions)
            yield from switch_all(commands.machine, commands.machine.devices.values(), actions)

    patch.setattr(MergedTransactionCommands, "_hardened", eager)


def an_abort_that_forgets_what_was_prepared(patch: pytest.MonkeyPatch) -> None:
    def forgetful(pivot: Pivot) -> Steps[tuple[()]]:
        yield Step(Phase.CLOSE, pivot.device)
        return ()

    patch.setattr(Pivot, "abort", forgetful)


BUGS = (
    Bug(
        "a chunk is clean after its copy instead of before",
        "QEMU's mirror: the dirty bit is reset before the read",
        MOVING,
        "content",
        cleared_after_the_copy,
    ),
    Bug(
        "a mirror is ready before it has converged",
        "QEMU's QAPI schema: BLOCK_JOB_READY",
        MOVING,
        "content",
        ready_before_it_has_converged,
    ),
    Bug(
        "a mirror is completed without a drain",
        "QEMU's mirror: the source is drained before the switch",
        MOVING,
        "content",
        switched_without_a_drain,
    ),
    Bug(
        "an error of the target is the guest's",
        "QEMU's QAPI schema: on-target-error",
        MIRRORING,
        "guest-undisturbed",
        errors_of_the_target_are_the_guests,
    ),
    Bug(
        "a list transaction commits each action before it prepares the next",
        "semantics.md, section 3: prepare per action, then commit all",
        GROUP,
        "all-or-nothing",
        each_action_is_committed_at_once,
    ),
    Bug(
        "a list transaction's abort leaves what was prepared",
        "semantics.md, section 3: abort in reverse",
        GROUP,
        "released",
        an_abort_that_forgets_what_was_prepared,
    ),
)
