"""All the ways to break one setting: record a run without a fault, then break it at every point.

A *setting* is a contestant with a use case in a world.  Its space of single faults is finite and is
listed, not drawn: every host operation × every kind that applies × once and lastingly, a kill at every
step and before every mutating operation of the hypervisor, management's death at every step, a foreign
file in each device's way, the guest running ahead or lagging behind after every step of the operation.
A run up to its fault equals the recorded one, so the list is complete.
"""

from collections.abc import Iterator

import attrs

from blockops.lab.case import Case
from blockops.lab.evidence import Evidence
from blockops.lab.execution import Execution
from blockops.lab.faults import (
    KINDS_OF,
    MUTATING,
    Fault,
    GuestLags,
    GuestRuns,
    HostFault,
    HostOperation,
    KilledAtOperation,
    KilledAtStep,
    ManagerDies,
    NoFault,
    Occupied,
    group_of,
)
from blockops.lab.gathering import gather
from blockops.lab.laws import judge
from blockops.lab.laws.judgement import Judgement


@attrs.frozen
class Recording:
    """The fault-free run of a setting: its host operations, and its steps.

    *steps* are all that a kill may come before, *manager_steps* those of management, *operation_steps*
    those of management and its commands together.
    """

    operations: tuple[HostOperation, ...]
    steps: int
    manager_steps: int
    operation_steps: int


@attrs.frozen
class Space:
    """The faults of one setting.  *points* counts the host operations that are broken."""

    faults: tuple[Fault, ...]
    points: int
    all_points: int

    @property
    def truncated(self) -> bool:
        """Whether some host operations are left alone."""
        return self.points < self.all_points


@attrs.frozen
class Judged:
    """A case with what each law says of it, and what of the core broke in it."""

    case: str
    judgements: dict[str, Judgement]
    broken: tuple[str, ...]
    struck: bool


class NotDeterministic(AssertionError):
    """Two runs of the same case differed: the lab itself is broken."""


def record(setting: Case) -> Recording:
    """Run a setting without a fault, twice; the two must be equal."""
    first, second = _recorded(setting), _recorded(setting)
    if first != second:
        raise NotDeterministic(f"two runs of {setting.id} differ")
    return first


def _recorded(setting: Case) -> Recording:
    execution = Execution(attrs.evolve(setting, fault=NoFault()), recording=True)
    execution.go()
    return Recording(
        tuple(execution.clock.operations),
        execution.steps,
        execution.manager_steps,
        execution.operation_steps,
    )


def space(setting: Case, recording: Recording, groups: frozenset[str] | None, complete: bool) -> Space:
    """List the faults of a setting, of all *groups* or of those named.

    Unless *complete*, only operations on the files of the first and the last device are broken, which
    for two devices is all of them.
    """
    chosen = [operation for operation in recording.operations if complete or _at_the_edge(setting, operation)]
    faults = tuple(
        fault for fault in _faults(setting, recording, chosen) if groups is None or group_of(fault) in groups
    )
    return Space(faults, len(chosen), len(recording.operations))


def _at_the_edge(setting: Case, operation: HostOperation) -> bool:
    inner = [str(number) for number in range(1, setting.world.devices - 1)]
    name = operation.path.rpartition("/")[2].partition(".")[0].partition("-")[0]
    return name.lstrip("abcdefghijklmnopqrstuvwxyz") not in inner


def _faults(setting: Case, recording: Recording, chosen: list[HostOperation]) -> Iterator[Fault]:
    yield NoFault()
    for disk in setting.world.disks():
        yield Occupied(disk.device)
    for step in range(1, recording.operation_steps + 1):
        yield GuestRuns(step)
        yield GuestLags(step)
    for operation in chosen:
        for kind in KINDS_OF[operation.operation]:
            yield HostFault(kind, operation.number)
            yield HostFault(kind, operation.number, lasting=True)
        if operation.operation in MUTATING and operation.actor != "management":
            yield KilledAtOperation(operation.number)
    for step in range(1, recording.steps + 1):
        yield KilledAtStep(step)
    for step in range(1, recording.manager_steps + 1):
        yield ManagerDies(step)


def evidence_of(case: Case) -> Evidence:
    """Run one case and return what is known of it."""
    execution = Execution(case)
    execution.go()
    return gather(execution)


def judged(case: Case) -> Judged:
    """Run one case and judge it by all laws.  What breaks inside the core or the lab is reported as such."""
    try:
        evidence = evidence_of(case)
    except Exception as error:  # whatever it is, it is ours, and the run must say so
        return Judged(case.id, {}, (f"{case.id}: {type(error).__name__}: {error}",), struck=True)
    struck = bool(evidence.hits) or evidence.killed or not isinstance(case.fault, HostFault)
    broken = tuple(f"{case.id}: {sentence}" for sentence in evidence.broken)
    return Judged(case.id, dict(judge(evidence)), broken, struck)
