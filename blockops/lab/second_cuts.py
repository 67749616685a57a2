"""What is done elsewhere: the power cuts of recoveries from power cuts, counted and judged.

The recovery from every state that a first cut leaves is cut at each of its operations, by all models again.
Whichever first cut led there, an equal disk with equal promises is judged once.
"""

from blockops.lab.beside import power_cuts
from blockops.lab.faults.power import PowerLoss
from blockops.lab.judging import Judged
from blockops.lab.parts import Scope, Setting, Survey
from blockops.lab.power.cuts import judge_second_cuts, meet_second_cuts
from blockops.lab.power.cutting import Tally as States
from blockops.lab.settings import Roster
from blockops.lab.tally import Tally
from blockops.lab.work import case_of

AGAIN = "power-again"
"""What second power cuts are counted as, apart from the first ones."""


def survey_second_cuts(roster: Roster, setting: Setting, scope: Scope) -> Survey:
    """Count the distinct second power cuts of a setting; none where its cache mode never flushes."""
    case = case_of(roster, setting)
    found = meet_second_cuts(case, lambda fallen: None) if case.world.cache.flushes else States()
    return Survey({AGAIN: found.distinct}, {}, found.points, found.distinct, 0, power=power_cuts(found))


def judge_all_second_cuts(roster: Roster, setting: Setting, scope: Scope) -> Tally:
    """Judge every distinct second power cut of a setting."""
    tally, case = Tally(), case_of(roster, setting)

    def take(judged: Judged, fault: PowerLoss) -> None:
        tally.count(judged, fault, tally.cases)

    if case.world.cache.flushes:
        judge_second_cuts(case, take)
    tally.groups = {AGAIN: tally.cases} if tally.cases else {}
    return tally
