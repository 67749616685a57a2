"""All the ways to break one setting: record a run without a fault, then break it at every point.

A *setting* is a contestant with a use case in a world.  Its space of single faults is finite and is
listed, not drawn: every host operation × every kind that applies × once, lastingly and until cleared,
before its effect and after it; a kill at every step and before every mutating operation of the
hypervisor, management's death at every step, a foreign file in each device's way, the guest running ahead
or lagging behind after every step of the operation.  A run up to its fault equals the recorded one, so
the list is complete.  Pairs of failures (`pairs`) and power cuts (`power.cutting`) are listed where they
are asked for.
"""

import functools
from collections.abc import Hashable, Iterator, Mapping, Sequence

import attrs

from blockops.lab.case import Case
from blockops.lab.execution import Execution
from blockops.lab.faults import FAMILIES
from blockops.lab.faults.fault import Fault, HostOperation, Recording
from blockops.lab.faults.host import PAIR
from blockops.lab.faults.pace import NoFault
from blockops.lab.faults.power import LYING, POWER, PowerLoss
from blockops.lab.faults.process import KilledAtOperation
from blockops.lab.interleaving.ordered import execution_of
from blockops.lab.moments import Noting
from blockops.lab.pairs import pairs, pairs_after
from blockops.lab.power.cutting import is_cut, power_faults


@attrs.frozen
class Space:
    """The faults of one setting.  *points* counts the host operations that are broken.

    *moments* numbers, for each step that a kill may come before, what the kill leaves behind: equal
    numbers, equal remains.  *at_operations* does so for operations that a kill may come before.
    """

    faults: tuple[Fault, ...]
    points: int
    all_points: int
    moments: tuple[int, ...] = ()
    at_operations: Mapping[int, int] = attrs.field(factory=dict)

    def moment_of(self, fault: Fault) -> int | None:
        """Return the number of what a kill leaves behind; None for other faults, or where it is not known."""
        if fault.kill_step is not None:
            return self.moments[fault.kill_step - 1] if self.moments else None
        return self.at_operations.get(fault.number) if isinstance(fault, KilledAtOperation) else None

    @property
    def truncated(self) -> bool:
        """Whether some host operations are left alone."""
        return self.points < self.all_points


class NotDeterministic(AssertionError):
    """Two runs of the same case differed: the lab itself is broken."""


def record(setting: Case) -> Recording:
    """Run a setting without a fault, twice; the two must be equal."""
    first, second = record_once(setting), record_once(setting)
    if first != second:
        raise NotDeterministic(f"two runs of {setting.id} differ")
    return first


def record_once(setting: Case) -> Recording:
    """Run a setting without a fault; for one that was recorded twice before."""
    noting = Noting()
    execution = execution_of(attrs.evolve(setting, fault=noting), recording=True)
    execution.go()
    return attrs.evolve(recording_of(execution), at_operations=tuple(noting.moments))


def recording_of(execution: Execution) -> Recording:
    """Return what was recorded of a run at rest; moments and jobs only where it was asked to keep them."""
    return Recording(
        tuple(execution.clock.operations),
        execution.steps,
        execution.manager_steps,
        execution.operation_steps,
        len(execution.evidence.exchanges),
        tuple(execution.moments),
        tuple(execution.jobs),
    )


def space(setting: Case, recording: Recording, groups: frozenset[str] | None, complete: bool) -> Space:
    """List the faults of a setting, of all *groups* or of those named.

    Unless *complete*, only operations on the files of the first and the last device are broken, which
    for two devices is all of them.  Pairs are listed only where their group is named: for each of their
    first faults the setting must be run.  So are power cuts.  Unless *groups* are named, devices come and
    go only in the use case that is about that, and nothing else breaks there.
    """
    mobile = setting.use_case.membership
    operations = () if mobile and groups is None else recording.operations
    edge = at_the_edge(setting, operations)
    chosen = [operation for operation in operations if complete or operation.number in edge]
    faults = tuple(
        fault
        for fault in _single_faults(setting, recording, chosen, groups)
        if groups is not None or fault.changes_membership is mobile or isinstance(fault, NoFault)
    )
    if groups is not None and PAIR in groups:
        faults += tuple(pairs(setting, chosen))
    for group in sorted({POWER, LYING} & (groups or frozenset())):
        faults += tuple(power_faults(setting, group))
    return attrs.evolve(space_of(recording, faults), points=len(chosen), all_points=len(operations))


def space_of(recording: Recording, faults: tuple[Fault, ...]) -> Space:
    """Return the space of *faults*, found in the run that was recorded."""
    points = len(recording.operations)
    return Space(faults, points, points, *_numbered(recording))


def _single_faults(
    setting: Case, recording: Recording, chosen: Sequence[HostOperation], groups: frozenset[str] | None
) -> Iterator[Fault]:
    for family in FAMILIES:
        asked = not family.by_name if groups is None else not groups.isdisjoint(family.groups)
        if asked and not (family.ours and setting.contestant.entry.real):
            for fault in family.listed(setting, recording, chosen):
                if groups is None or fault.group in groups:
                    yield fault


def is_met(case: Case, recording: Recording) -> bool:
    """Whether the fault of *case* is one that the setting has, in whatever group."""
    if isinstance(case.fault, PowerLoss):
        return not case.contestant.entry.real and is_cut(case, len(recording.operations))
    groups = frozenset({case.fault.first.group})
    if case.fault.first not in _single_faults(case, recording, recording.operations, groups):
        return False
    before = case.fault.host_faults[:-1]
    return not before or case.fault in pairs_after(case, before[0])


def _numbered(recording: Recording) -> tuple[tuple[int, ...], dict[int, int]]:
    """Number the moments of the recorded run, by step and by operation.

    A kill before a step strikes at the first moment from that step on.
    """
    numbers: dict[Hashable, int] = {}
    by_step = {step: numbers.setdefault(moment, len(numbers)) for step, moment in reversed(recording.moments)}
    found, following = [], -1
    for step in range(recording.steps, 0, -1):
        following = by_step.get(step, following)
        found.append(following)
    by_operation = {at: numbers.setdefault(moment, len(numbers)) for at, moment in recording.at_operations}
    return tuple(reversed(found)), by_operation


def at_the_edge(setting: Case, operations: Sequence[HostOperation]) -> frozenset[int]:
    """Return the numbers of those operations that are not on files of a device between first and last."""
    inner = {str(number) for number in range(1, setting.world.devices - 1)}
    return frozenset(
        operation.number for operation in operations if _device_in_name(operation.path) not in inner
    )


@functools.cache
def _device_in_name(path: str) -> str:
    name = path.rpartition("/")[2].partition(".")[0].partition("-")[0]
    return name.lstrip("abcdefghijklmnopqrstuvwxyz")
