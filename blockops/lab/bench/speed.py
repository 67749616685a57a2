"""What the lab does per second on one core: cases judged, power cuts judged, and what a device costs.

Each measurement has a budget of seconds and does at least one thing.  Setting up (recording a setting,
listing its faults) is not measured.  Cases are taken in slices, as the workers of a comparison take them,
and the slices in an order drawn with a fixed seed, so that a small budget sees all sorts of faults.
"""

import contextlib
import random
import time
from collections.abc import Callable, Iterable, Iterator

import attrs

from blockops.lab.aftermath import Aftermaths
from blockops.lab.bench.figures import Line, OfDevices, Power, Rate, straight
from blockops.lab.case import Case
from blockops.lab.execution import Execution
from blockops.lab.exploring import Space, record_once, space
from blockops.lab.faults.fault import Fault
from blockops.lab.faults.pace import NoFault
from blockops.lab.faults.power import PowerLoss
from blockops.lab.interleaving.ordered import execution_of
from blockops.lab.judging import Judged, Judging, judged
from blockops.lab.power.cuts import judge_second_cuts, judged_after
from blockops.lab.power.cutting import Tally, new_states, run_and_look
from blockops.lab.power.models import LEGAL
from blockops.lab.world import World
from blockops.management.contestant import Contestant, Inexpressible
from blockops.management.use_cases import USE_CASES

USE_CASE = "group-snapshot"
DEVICES = 2
COUNTS = (1, 2, 3, 4, 5, 6, 7, 8)

_SLICE = 200
"""As many cases as a worker judges at a time with two devices."""

_SEED = 7


@attrs.define
class Stopwatch:
    """Runs from its making on; *due* once its seconds are over.

    *seconds* are those for which this process had a core: on a busy machine fewer than went by.
    """

    budget: float
    _began: float = attrs.field(factory=time.perf_counter, init=False)
    _worked: float = attrs.field(factory=time.process_time, init=False)

    @property
    def seconds(self) -> float:
        return time.process_time() - self._worked

    @property
    def elapsed(self) -> float:
        return time.perf_counter() - self._began

    @property
    def due(self) -> bool:
        return self.elapsed >= self.budget


def settings_of(contestants: Iterable[Contestant], devices: int = DEVICES) -> list[Case]:
    """Return the settings that are measured: those of *contestants* who can do the use case."""
    case = USE_CASES[USE_CASE]
    able = [one for one in contestants if not isinstance(one.program(case.id), Inexpressible)]
    return [Case(one, case, World(devices=devices), NoFault()) for one in able]


def judged_cases(setting: Case, seconds: float) -> Rate:
    """Judge cases of *setting* by all laws as a comparison does, equal ones once."""
    found = space(setting, record_once(setting), None, complete=True)
    rate, watch = Rate(setting.contestant.id), Stopwatch(seconds)
    for faults in _slices(found):
        judging = Judging(setting, found)
        for fault in faults:
            case = judging.judge(fault)
            rate.broken += case.broken
            rate.remembered += case.equal
            rate.run += not case.equal
            if watch.due:
                rate.seconds = watch.seconds
                return rate
    rate.seconds = watch.seconds
    return rate


def _slices(found: Space) -> list[tuple[Fault, ...]]:
    slices = [found.faults[start : start + _SLICE] for start in range(0, len(found.faults), _SLICE)]
    random.Random(_SEED).shuffle(slices)
    return slices


def power_cuts(setting: Case, seconds: float) -> Power:
    """Judge distinct power cuts of *setting*; what is left of the run when time is up is not looked at."""
    power, tally, known, watch = Power(setting.contestant.id), Tally(), set[object](), Stopwatch(seconds)
    remembered: Aftermaths = {}

    def look(execution: Execution, number: int) -> None:
        if watch.due and power.distinct:
            return
        for state in new_states(execution, LEGAL, tally, known):
            power.broken += judged_after(execution, number, state, remembered).broken
            power.distinct += 1
            power.seconds = watch.seconds
            if watch.due:
                return

    run_and_look(setting, look, lying=False)
    power.equal, power.recovered = tally.remembered, len(remembered)
    return power


class _TimeIsUp(Exception):
    """Nothing more is to be judged."""


def second_cuts(setting: Case, seconds: float) -> Power:
    """Judge distinct power cuts of recoveries from power cuts of *setting*; the way there counts, too."""
    power, watch = Power(setting.contestant.id), Stopwatch(seconds)

    def take(judged: Judged, fault: PowerLoss) -> None:
        power.broken += judged.broken
        power.distinct += 1
        power.seconds = watch.seconds
        if watch.due:
            raise _TimeIsUp

    with contextlib.suppress(_TimeIsUp):
        judge_second_cuts(setting, take)
    return power


def executed(setting: Case, seconds: float) -> tuple[Rate, Rate]:
    """Run the same cases of *setting* without any law and then with all of them, none from memory."""
    plain, lawful = Rate("execution only"), Rate("execution and all laws")
    watch = Stopwatch(seconds)
    for case in _drawn(setting):
        began = time.process_time()
        execution_of(case, ()).go()
        between = time.process_time()
        lawful.broken += judged(case).broken
        plain.run, plain.seconds = plain.run + 1, plain.seconds + between - began
        lawful.run, lawful.seconds = lawful.run + 1, lawful.seconds + time.process_time() - between
        if watch.due:
            break
    return plain, lawful


def _drawn(setting: Case) -> Iterator[Case]:
    faults = list(space(setting, record_once(setting), None, complete=True).faults)
    random.Random(_SEED).shuffle(faults)
    return (attrs.evolve(setting, fault=fault) for fault in faults)


def by_devices(
    contestant: Contestant, seconds: float, on_progress: Callable[[str], None]
) -> tuple[list[OfDevices], Line]:
    """Return what a case takes with one to eight devices, and how far from a straight line that is."""
    found = []
    for count in COUNTS:
        on_progress(f"{count} devices")
        for setting in settings_of([contestant], count):
            rate, watch = Rate(contestant.id), Stopwatch(seconds)
            for case in _drawn(setting):
                rate.broken += judged(case).broken
                rate.run, rate.seconds = rate.run + 1, watch.seconds
                if watch.due:
                    break
            found.append(OfDevices(count, rate))
    return found, straight(found)
