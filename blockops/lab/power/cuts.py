"""Judging every power cut of a setting beside one run without a fault (`cutting`)."""

import copy
from collections.abc import Hashable, Iterable

import attrs

from blockops.lab.case import Case
from blockops.lab.evidence import Evidence
from blockops.lab.execution import Execution
from blockops.lab.faults.pace import NoFault
from blockops.lab.faults.power import PowerLoss
from blockops.lab.gathering import gather
from blockops.lab.hosts import Clock
from blockops.lab.judging import Judged
from blockops.lab.laws import judge
from blockops.lab.power.cutting import Tally, new_states, run_and_look
from blockops.lab.power.models import LEGAL, Model
from blockops.lab.power.surviving import State
from blockops.lab.scenario import seen_in


def power_cases(setting: Case, models: Iterable[Model] = LEGAL) -> tuple[Tally, list[Judged]]:
    """Judge every distinct state of every power cut of a setting, and say how many there were."""
    tally, found, known = Tally(), list[Judged](), set[Hashable]()

    def look(execution: Execution, number: int) -> None:
        for state in new_states(execution, tuple(models), tally, known):
            found.append(judged_after(execution, number, state))

    run_and_look(setting, look, lying=Model.LYING in models)
    return tally, found


def judged_after(execution: Execution, number: int, state: State) -> Judged:
    """Judge a power cut now, before host operation *number*, that leaves *state*; the execution goes on."""
    fallen = fork(execution, number, state)
    try:
        evidence = gather(fallen)
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
