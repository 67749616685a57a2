"""What is done elsewhere beside single faults: power cuts are found and judged.

Where all power cuts of a setting are judged, one run without a fault is forked at each of them
(`power.cuts`); a sample of them is judged case by case (`work.judge_drawn`).
"""

from blockops.lab.faults.fault import Fault
from blockops.lab.faults.power import LYING, POWER, PowerLoss
from blockops.lab.judging import Judged
from blockops.lab.parts import Scope, Setting, Survey
from blockops.lab.power.cuts import judge_cuts
from blockops.lab.power.cutting import Tally as States
from blockops.lab.power.cutting import models_of, states_of
from blockops.lab.results import PowerCuts
from blockops.lab.settings import Roster
from blockops.lab.tally import Tally
from blockops.lab.work import case_of, draw


def survey_power(roster: Roster, setting: Setting, scope: Scope) -> Survey:
    """Find the distinct power cuts of a setting and, where they are sampled, draw some."""
    group = _group(scope)
    found, faults = states_of(case_of(roster, setting), group)
    choice: dict[int, Fault] = dict(enumerate(faults))
    lots = {} if scope.sample is None else draw(setting, choice, scope, scope.sample)
    return Survey({group: len(faults)}, {}, found.points, len(faults), 0, lots, power_cuts(found))


def power_cuts(found: States) -> PowerCuts:
    """Return what a report has of the numbers of states."""
    return PowerCuts(
        found.points,
        found.raw,
        found.distinct,
        found.remembered,
        found.equal,
        found.skipped,
        found.truncated,
    )


def judge_power(roster: Roster, setting: Setting, scope: Scope) -> Tally:
    """Judge every distinct power cut of a setting."""
    tally, case = Tally(), case_of(roster, setting)

    def take(judged: Judged, fault: PowerLoss) -> None:
        tally.count(judged, fault, tally.cases)

    if case.world.cache.flushes:
        judge_cuts(case, models_of(_group(scope)), take)
    return tally


def _group(scope: Scope) -> str:
    return LYING if LYING in (scope.groups or ()) else POWER
