"""The power cuts that a setting has: one run without a fault that is looked at wherever power may be lost.

When an operation is about to happen, and once behind the last, the run stands still: whoever looks sees
every disk that may survive there, and then it goes on.  Two states are equal, and only the first is
seen, where all files are and where the same has been promised: what the guest was told is done and is
durable, what management was answered and how it ended, what the devices showed.
"""

import functools
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TypeAlias

import attrs

from blockops.lab.case import Case
from blockops.lab.execution import Execution
from blockops.lab.faults.fault import Fault, HostOperation
from blockops.lab.faults.power import LYING, POWER, PowerLoss
from blockops.lab.power.journal import Journal
from blockops.lab.power.models import LEGAL, Model, NoSuchState
from blockops.lab.power.surviving import State, Survivors, survivors

Look: TypeAlias = Callable[[Execution, int], None]
"""Looks at an execution that stands still before the host operation of this number."""


@attrs.define
class Tally:
    """How many states there were: *raw* by the models, *distinct* ones judged, and those *remembered*.

    *equal* ones equal another at the same instant, *skipped* ones were not looked at: all four make up the
    raw.  *points* counts the instants, *truncated* those at which not all was tried.
    """

    points: int = 0
    raw: int = 0
    distinct: int = 0
    remembered: int = 0
    equal: int = 0
    skipped: int = 0
    truncated: int = 0

    def count(self, found: Survivors) -> None:
        """Count the states of one more instant."""
        self.points += 1
        self.raw += found.raw
        self.equal += found.equal
        self.skipped += found.skipped
        self.truncated += found.truncated

    def new(self, found: Survivors, promises: Hashable, known: set[Hashable]) -> Iterator[State]:
        """Yield those of one instant's states that are not *known* with these *promises*; add them to it."""
        for key, state in found.states.items():
            if (key, promises) in known:
                self.remembered += 1
            else:
                known.add((key, promises))
                self.distinct += 1
                yield state


@attrs.define(eq=False)
class Forking(Fault):
    """Nothing breaks, but at every instant at which power may be lost somebody looks."""

    lying: bool
    look: Look
    group = POWER

    @property
    def armed_from(self) -> int:
        return 1

    def journal(self) -> Journal:
        return Journal(self.lying)

    def arrange(self, execution: Execution) -> None:
        execution.clock.about_to = functools.partial(self._before, execution)

    def relent(self, execution: Execution) -> None:
        self.look(execution, execution.clock.number + 1)

    def _before(self, execution: Execution, operation: HostOperation) -> None:
        self.look(execution, operation.number)


def power_faults(setting: Case, group: str) -> Iterator[Fault]:
    """Yield the power cuts of a setting, of each instant and equal states only the first, by their names."""
    yield from states_of(setting, group)[1]


def states_of(setting: Case, group: str) -> tuple[Tally, list[PowerLoss]]:
    """Return the power cuts of a setting, of equal states only the first, and how many there were.

    There is none in a world whose cache mode never flushes.
    """
    tally, faults, known = Tally(), list[PowerLoss](), set[Hashable]()

    def look(execution: Execution, number: int) -> None:
        for state in new_states(execution, models_of(group), tally, known):
            faults.append(PowerLoss(state.name, number))

    if setting.world.cache.flushes:
        run_and_look(setting, look, lying=group == LYING)
    return tally, faults


def models_of(group: str) -> tuple[Model, ...]:
    """Return the persistence models of a group of power cuts."""
    return (Model.LYING,) if group == LYING else LEGAL


def run_and_look(setting: Case, look: Look, *, lying: bool) -> None:
    """Run a setting without a fault, and let *look* see it at every instant."""
    Execution(attrs.evolve(setting, fault=Forking(lying, look))).go()


def new_states(
    execution: Execution, models: Iterable[Model], tally: Tally, known: set[Hashable]
) -> Iterator[State]:
    """Yield the states that may be found now and that no earlier instant had with the same promises."""
    journal = execution.clock.journal
    assert journal is not None
    found = survivors(execution.disk, journal, models)
    tally.count(found)
    yield from tally.new(found, promises_of(execution), known)


def promises_of(execution: Execution) -> Hashable:
    """Return all but the files that a power cut now leaves behind."""
    evidence, hypervisor, journal = execution.evidence, execution.hypervisor, execution.clock.journal
    assert hypervisor is not None
    assert journal is not None
    history = evidence.history
    return (
        len(history.writes),
        history.ended,
        history.durable,
        len(history.misread),
        tuple(exchange.answer is not None for exchange in evidence.exchanges),
        evidence.ending,
        hypervisor.tops(),
        hypervisor.opened(),
        tuple(sorted(evidence.mirrored.items())),
        tuple(sorted(evidence.left.items())),
        tuple(execution.clock.doubled),
        tuple(journal.fresh(execution.disk.files)),
    )


def is_cut(case: Case, operations: int) -> bool:
    """Whether the power cut of *case* is one that its setting has, in a run of so many host operations."""
    fault = case.fault
    assert isinstance(fault, PowerLoss)
    if not case.world.cache.flushes or not 1 <= fault.number <= operations + 1:
        return False
    try:
        Execution(case).go()
    except NoSuchState:
        return False
    return True
