"""Judging every power cut of a setting beside one run without a fault (`cutting`)."""

import contextlib
import copy
from collections.abc import Callable, Hashable, Iterable

import attrs

from blockops.errors import BlockError
from blockops.lab.aftermath import Aftermaths
from blockops.lab.case import Case
from blockops.lab.evidence import Evidence
from blockops.lab.execution import Execution
from blockops.lab.faults.fault import HostOperation
from blockops.lab.faults.pace import NoFault
from blockops.lab.faults.power import PowerLoss
from blockops.lab.gathering import gather
from blockops.lab.hosts import Clock
from blockops.lab.judging import Judged
from blockops.lab.laws import judge
from blockops.lab.power.cutting import Tally, new_states, promises_of, run_and_look
from blockops.lab.power.journal import Journal
from blockops.lab.power.models import LEGAL, Model
from blockops.lab.power.surviving import State, survivors
from blockops.lab.scenario import seen_in
from blockops.steps import run


def power_cases(setting: Case, models: Iterable[Model] = LEGAL) -> tuple[Tally, list[Judged]]:
    """Judge every distinct state of every power cut of a setting, and say how many there were."""
    found = list[Judged]()
    return judge_cuts(setting, models, lambda judged, fault: found.append(judged)), found


def judge_cuts(setting: Case, models: Iterable[Model], take: Callable[[Judged, PowerLoss], None]) -> Tally:
    """Let *take* have every distinct power cut of a setting, judged, and say how many there were."""
    tally, known = Tally(), set[Hashable]()
    remembered: Aftermaths = {}

    def look(execution: Execution, number: int) -> None:
        for state in new_states(execution, tuple(models), tally, known):
            take(judged_after(execution, number, state, remembered), PowerLoss(state.name, number))

    run_and_look(setting, look, lying=Model.LYING in models)
    return tally


def recovery_cases(
    setting: Case, models: Iterable[Model] = LEGAL, again: Iterable[Model] = LEGAL
) -> tuple[Tally, list[Judged]]:
    """Judge every power cut of every recovery from a power cut of a setting; states after both once."""
    found = list[Judged]()
    return judge_second_cuts(setting, lambda judged, fault: found.append(judged), models, again), found


def judge_second_cuts(
    setting: Case,
    take: Callable[[Judged, PowerLoss], None],
    models: Iterable[Model] = LEGAL,
    again: Iterable[Model] = LEGAL,
) -> Tally:
    """Let *take* have every distinct second power cut, judged, and say how many there were."""
    remembered: Aftermaths = {}

    def look(fallen: Execution) -> None:
        fault = fallen.case.fault
        assert isinstance(fault, PowerLoss)
        take(_judged(fallen, remembered), fault)

    return meet_second_cuts(setting, look, models, again)


def meet_second_cuts(
    setting: Case,
    look: Callable[[Execution], None],
    models: Iterable[Model] = LEGAL,
    again: Iterable[Model] = LEGAL,
) -> Tally:
    """Let *look* see what every distinct second power cut leaves, and say how many there were.

    The first one leaves any state of *models*; the recovery from each is cut at each of its operations, and
    leaves any of *again*.  Equal files with equal promises are seen once, whichever first cut led there.
    """
    tally, known, begun = Tally(), set[Hashable](), set[Hashable]()

    def recover(execution: Execution, number: int) -> None:
        for state in new_states(execution, tuple(models), Tally(), begun):
            promises = promises_of(execution)
            fallen = fork(execution, number, state)
            for twin in _recoveries(fallen, tuple(again), promises, tally, known):
                look(twin)

    run_and_look(setting, recover, lying=False)
    return tally


def _recoveries(
    fallen: Execution, models: tuple[Model, ...], promises: Hashable, tally: Tally, known: set[Hashable]
) -> list[Execution]:
    """Return a fork for each new state that is left where power is lost while *fallen* recovers."""
    clock, disk, journal = fallen.clock, fallen.disk, Journal()
    fallen.disk = disk.fork()
    clock.rearm(journal)
    found: list[Execution] = []

    def look(operation: HostOperation) -> None:
        there = survivors(fallen.disk, journal, models)
        tally.count(there)
        new = tally.new(there, promises, known)
        found.extend(_again(fallen, state, operation.number) for state in new)

    clock.about_to = look
    with contextlib.suppress(BlockError):
        run(fallen.case.contestant.recover(fallen.desk(), fallen.case.wish))
    return found


def _again(fallen: Execution, state: State, number: int) -> Execution:
    twin, fault = copy.copy(fallen), fallen.case.fault
    assert isinstance(fault, PowerLoss)
    twin.case = attrs.evolve(fallen.case, fault=attrs.evolve(fault, again=(state.name, number)))
    twin.evidence = copy.copy(fallen.evidence)
    twin.evidence.case = twin.case
    twin.clock = Clock(NoFault())
    twin.disk = fallen.disk.surviving(state.files)
    return twin


def judged_after(execution: Execution, number: int, state: State, remembered: Aftermaths) -> Judged:
    """Judge a power cut now, before host operation *number*, that leaves *state*; the execution goes on.

    *remembered*: what came of equal disks in cases of the same setting; added to.
    """
    return _judged(fork(execution, number, state), remembered)


def _judged(fallen: Execution, remembered: Aftermaths) -> Judged:
    try:
        evidence = gather(fallen, remembered)
        judgements, seen = dict(judge(evidence)), seen_in(evidence)
    except Exception as error:  # whatever it is, it is ours, and the run must say so
        return Judged(fallen.case.id, {}, (f"{fallen.case.id}: {type(error).__name__}: {error}",))
    broken = tuple(f"{fallen.case.id}: {sentence}" for sentence in evidence.broken)
    return Judged(fallen.case.id, judgements, broken, crossroads=evidence.crossroads, seen=seen)


def fork(execution: Execution, number: int, state: State) -> Execution:
    """Return a twin whose host has lost its power and come back with *state*; the original is as it was."""
    hypervisor, clock = execution.hypervisor, execution.clock
    assert hypervisor is not None
    assert clock.journal is not None
    twin = copy.copy(execution)
    twin.case = attrs.evolve(execution.case, fault=PowerLoss(state.name, number))
    twin.evidence = copy.copy(execution.evidence)
    twin.evidence.case = twin.case
    twin.evidence.lose_power(hypervisor.tops(), hypervisor.opened())
    _as_at_rest(twin.evidence, clock, clock.journal.fresh(execution.disk.files))
    twin.clock, twin.hypervisor = Clock(NoFault()), None
    twin.disk = execution.disk.surviving(state.files)
    return twin


def _as_at_rest(evidence: Evidence, clock: Clock, fresh: list[str]) -> None:
    """Note what an execution notes when it has come to rest."""
    evidence.doubled = tuple(dict.fromkeys([*clock.doubled, *fresh]))
