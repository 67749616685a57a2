"""What is done elsewhere beside single faults: orders are searched through, power cuts found and judged.

Where all power cuts of a setting are judged, one run without a fault is forked at each of them
(`power.cuts`); a sample of them is judged case by case (`work.judge_drawn`).
"""

from operator import itemgetter

from blockops.lab.faults.fault import Fault
from blockops.lab.faults.pace import NoFault
from blockops.lab.faults.power import LYING, POWER, PowerLoss
from blockops.lab.interleaving.judged import orders_of, recorded
from blockops.lab.interleaving.order import Order
from blockops.lab.interleaving.search import Ran
from blockops.lab.judging import Judged
from blockops.lab.parts import Scope, Setting, Survey
from blockops.lab.power.cuts import judge_cuts
from blockops.lab.power.cutting import models_of, states_of
from blockops.lab.results import PowerCuts
from blockops.lab.settings import Roster
from blockops.lab.tally import Tally
from blockops.lab.work import case_of, draw

ORDERS = "order"
"""What cases with an order and without a fault are counted as."""

DEPTH = 1
"""How many departures an order may have."""


def survey_orders(roster: Roster, setting: Setting, scope: Scope) -> Survey:
    """Count the orders of one departure, equivalent ones as well, and the scheduler's own."""
    case = case_of(roster, setting)
    ran = Ran(case.order, tuple(recorded(case).taken), lambda: None)
    count = 1 + sum(len(taken.able) for _, taken in ran.places())
    return Survey({ORDERS: count}, {}, points=0, choice=count, leading=0)


def judge_orders(roster: Roster, setting: Setting, scope: Scope) -> Tally:
    """Judge the orders of a setting, of equivalent ones one."""
    search, tally = orders_of(case_of(roster, setting), DEPTH), Tally()
    judged = [(_place(ran.order), ran.outcome) for ran in search.orders()]
    for rank, (_, outcome) in enumerate(sorted(judged, key=itemgetter(0))):
        tally.count(outcome, NoFault(), rank)
    tally.groups, tally.pruned = {ORDERS: tally.cases}, search.counts.pruned
    return tally


def _place(order: Order) -> list[tuple[int, str]]:
    return [(one.turn, one.task) for one in order.departures]


def survey_power(roster: Roster, setting: Setting, scope: Scope) -> Survey:
    """Find the distinct power cuts of a setting and, where they are sampled, draw some."""
    group = _group(scope)
    found, faults = states_of(case_of(roster, setting), group)
    cuts = PowerCuts(
        found.points,
        found.raw,
        found.distinct,
        found.remembered,
        found.equal,
        found.skipped,
        found.truncated,
    )
    choice: dict[int, Fault] = dict(enumerate(faults))
    lots = {} if scope.sample is None else draw(setting, choice, scope, scope.sample)
    return Survey({group: len(faults)}, {}, found.points, len(faults), 0, lots, cuts)


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
