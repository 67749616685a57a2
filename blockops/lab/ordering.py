"""What is done elsewhere about orders: they are searched through, and crossed with faults.

Where all is to be judged, a survey lists the orders of one departure with how many further ones each has
and how many faults it can be crossed with, so that workers share them: an order is a piece of work, with
all that goes on from it.  Else a setting's orders are one piece of work, which also counts the faults and
draws those orders that are crossed with one.
"""

import heapq
from collections.abc import Iterator
from operator import itemgetter

import attrs

from blockops.lab.case import Case, under
from blockops.lab.crossing import Crossing, crossed_faults, draw_fault, numbers_of
from blockops.lab.exploring import record_once, recording_of, space_of
from blockops.lab.faults.fault import Recording
from blockops.lab.faults.pace import NoFault
from blockops.lab.interleaving.judged import judged, orders_of, recorded, run
from blockops.lab.interleaving.order import Order
from blockops.lab.interleaving.ordered import Trace
from blockops.lab.interleaving.search import Ran, Search
from blockops.lab.judging import Judged, Judging
from blockops.lab.parts import First, Scope, Setting, Survey
from blockops.lab.sampling import Lots, lot
from blockops.lab.settings import Roster
from blockops.lab.tally import Tally
from blockops.lab.work import case_of

ORDERS = "order"
"""What cases with an order and without a fault are counted as."""

MOST = 1_000_000
"""More cases than any one order has: what the ranks of its cases are apart from those of the next."""


def survey_orders(roster: Roster, setting: Setting, scope: Scope) -> Survey:
    """Count the orders of a setting, equivalent ones and the scheduler's own as well; list them if asked."""
    case = case_of(roster, setting)
    if not scope.whole:
        count = 1 + sum(len(taken.able) for _, taken in run(case).places())
        return Survey({ORDERS: count}, {}, points=0, choice=count, leading=0)
    firsts, crossing = [], Crossing()
    for ran, kept in _firsts(case):
        if kept:
            crossing.meet(ran.outcome, hosts=scope.hosts)
        further = sum(len(taken.able) for _, taken in ran.places()) if scope.departures > 1 else 0
        faults = numbers_of(ran.outcome, hosts=scope.hosts).total() if kept else 0
        firsts.append(First(str(ran.order), kept, further, faults))
    count = 1 + sum(1 + first.further for first in firsts)
    return Survey({ORDERS: count}, {}, 0, count, 0, firsts=tuple(firsts), crossing=crossing)


def _firsts(case: Case) -> Iterator[tuple[Ran[Recording], bool]]:
    """Yield the run of each order of one departure, recorded, and whether no earlier one is equivalent."""

    def run(order: Order, last: bool) -> Ran[Recording]:
        execution = recorded(attrs.evolve(case, order=order))
        recording = recording_of(execution)
        return Ran(order, tuple(execution.taken), lambda: recording)

    by_place = sorted(Search(run, 1).firsts(), key=lambda first: _place(first[0].order))
    return iter(by_place)


def judge_orders(roster: Roster, setting: Setting, scope: Scope) -> Tally:
    """Judge the orders of one departure of a setting, of equivalent ones one; draw those to be crossed."""
    case, tally = case_of(roster, setting), Tally()

    def run(order: Order, last: bool) -> Ran[tuple[Judged, Recording]]:
        one = attrs.evolve(case, order=order)
        execution = recorded(one, Trace.DEPARTURES if last else Trace.ALL)
        recording = recording_of(execution)
        return Ran(order, tuple(execution.taken), lambda: (judged(one, execution), recording))

    search = Search(run, 1)
    found = sorted(
        ((_place(ran.order), ran.order, ran.outcome) for ran in search.orders()), key=itemgetter(0)
    )
    for rank, (_, _, (outcome, _)) in enumerate(found):
        tally.count(outcome, NoFault(), rank)
    tally.groups, tally.pruned = {ORDERS: tally.cases}, search.counts.pruned
    if scope.crossed is not None:
        _cross(tally.crossing, case, scope, [(order, recording) for _, order, (_, recording) in found[1:]])
    return tally


def _cross(crossing: Crossing, case: Case, scope: Scope, orders: list[tuple[Order, Recording]]) -> None:
    """Count what *orders* are crossed with, and draw some of them, each with one fault."""
    for _, recording in orders:
        crossing.meet(recording, hosts=scope.hosts)
    cases = [(attrs.evolve(case, order=order), recording) for order, recording in orders]
    lots = ((lot(scope.seed, one.id), number) for number, (one, _) in enumerate(cases))
    lowest = heapq.nsmallest(scope.crossed or 0, lots)
    names = [(drawn, draw_fault(*cases[number], scope.seed, hosts=scope.hosts)) for drawn, number in lowest]
    crossing.drawn = Lots(scope.crossed or 0, sum(crossing.groups.values()), names)


def judge_orders_from(
    roster: Roster, setting: Setting, scope: Scope, firsts: tuple[tuple[int, First], ...]
) -> Tally:
    """Judge orders of one departure, each with its rank, and those that go on from them.

    The scheduler's own order has no name, and nothing goes on from it here.
    """
    case, tally = case_of(roster, setting), Tally()
    for rank, first in firsts:
        search = orders_of(under(case, f"no-fault/{first.name}"), scope.departures - 1 if first.name else 0)
        runs = search.orders() if first.explored else search.beside()
        found = sorted(((_place(ran.order), ran.outcome) for ran in runs), key=itemgetter(0))
        for number, (place, outcome) in enumerate(found):
            tally.count(outcome, NoFault(), rank if len(place) < 2 else (rank + 1) * MOST + number)
        tally.pruned += search.counts.pruned + (not first.explored)
    tally.groups = {ORDERS: tally.cases} if tally.cases else {}
    return tally


def judge_crossed(
    roster: Roster, setting: Setting, scope: Scope, orders: tuple[tuple[int, First], ...]
) -> Tally:
    """Judge orders, each with its rank, crossed with every fault of theirs."""
    case, tally = case_of(roster, setting), Tally()
    for rank, first in orders:
        ordered = under(case, f"no-fault/{first.name}")
        recording = record_once(ordered)
        faults = tuple(crossed_faults(ordered, recording, hosts=scope.hosts))
        judging = Judging(ordered, space_of(recording, faults))
        for number, fault in enumerate(faults):
            tally.count(judging.judge(fault), fault, rank * MOST + number)
        tally.orders.add(first.name)
    return tally


def _place(order: Order) -> list[tuple[int, str]]:
    return [(one.turn, one.task) for one in order.departures]
