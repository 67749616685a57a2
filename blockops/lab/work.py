"""What is done elsewhere: survey a setting, judge a slice of it, find pairs of faults, judge what was drawn.

Only names, worlds and tallies cross between processes: each finds the contestants by the roster, which
is a function of a module, so any executor will do.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache

import attrs

from blockops.lab.case import Case, under
from blockops.lab.exploring import Space, at_the_edge, record, record_once, space
from blockops.lab.faults.fault import Fault
from blockops.lab.faults.host import HostFault
from blockops.lab.faults.pace import NoFault
from blockops.lab.judging import Judging
from blockops.lab.pairs import leading_faults, leads, pairs_after, pairs_on
from blockops.lab.parts import Scope, Setting, Survey
from blockops.lab.sampling import Lots, sampled
from blockops.lab.settings import Roster
from blockops.lab.tally import Tally
from blockops.management.contestant import Contestant
from blockops.management.use_cases import USE_CASES


@cache
def enlisted(roster: Roster) -> dict[str, Contestant]:
    """Return by id everybody who may take part."""
    return {contestant.id: contestant for contestant in roster()}


def case_of(roster: Roster, setting: Setting) -> Case:
    """Return the fault-free case of a setting."""
    contestant = enlisted(roster)[setting.contestant]
    return Case(contestant, USE_CASES[setting.use_case], setting.world, NoFault())


def survey(roster: Roster, setting: Setting, scope: Scope) -> Survey:
    """Record a setting; return the size of its space and, where that is sampled, the cases that are drawn.

    Where all of it is to be judged it is recorded twice, to see that the lab is deterministic.
    """
    case = case_of(roster, setting)
    recording = record(case) if scope.inner else record_once(case)
    everything = space(case, recording, scope.groups, complete=True)
    kinds = Counter((fault.group, fault.is_variant) for fault in everything.faults)
    groups = {group: number for (group, varies), number in kinds.items() if not varies}
    variants = {group: number for (group, varies), number in kinds.items() if varies}
    edge = {0} | at_the_edge(case, recording.operations)
    choice = {
        rank: fault for rank, fault in enumerate(everything.faults) if scope.inner or fault.armed_from in edge
    }
    leading = sum(1 for _ in leading_faults(recording.operations))
    lots = {} if scope.sample is None else draw(setting, choice, scope, scope.sample)
    return Survey(groups, variants, everything.points, len(choice), leading, lots)


def draw(setting: Setting, choice: Mapping[int, Fault], scope: Scope, wanted: int) -> dict[str, int]:
    """Draw *wanted* of the faults in *choice*, which has them by rank, that are asked for.

    Return their names with their ranks, the lowest lot first, and before all others the case without a
    fault, if it is among them.
    """
    asked = {str(fault): rank for rank, fault in choice.items() if scope.asks_for(fault)}
    first = [name for name, rank in asked.items() if isinstance(choice[rank], NoFault)]
    rest = [name for name in asked if name not in first]
    start = f"{setting}/"
    lucky = sampled([start + name for name in rest], max(0, wanted - len(first)), scope.seed)
    return {name: asked[name] for name in (*first, *(rest[number] for number in lucky))}


def judge_slice(roster: Roster, setting: Setting, scope: Scope, start: int, end: int) -> Tally:
    """Judge the cases of a setting from *start* to *end*, of those that *scope* asks for."""
    case, found, chosen = _chosen(roster, setting, scope)
    tally, judging = Tally(), Judging(case, found)
    for rank, fault in chosen[start:end]:
        judged = judging.judge(fault)
        tally.count(judged, fault, rank)
        if scope.pairs is not None and isinstance(fault, HostFault) and leads(fault):
            _draw_pairs(tally.pairs, setting, scope, pairs_on(fault, judged.way))
    return tally


def _draw_pairs(lots: Lots, setting: Setting, scope: Scope, pairs: Iterable[Fault]) -> None:
    lots.limit = scope.pairs or 0
    start = f"{setting}/"
    lots.draw(scope.seed, [f"{start}{pair}" for pair in pairs])


@lru_cache(maxsize=8)
def _chosen(roster: Roster, setting: Setting, scope: Scope) -> tuple[Case, Space, list[tuple[int, Fault]]]:
    case = case_of(roster, setting)
    found = space(case, record_once(case), scope.groups, scope.inner)
    return case, found, [(rank, fault) for rank, fault in enumerate(found.faults) if scope.asks_for(fault)]


def find_pairs(roster: Roster, setting: Setting, scope: Scope, start: int, end: int) -> Lots:
    """Draw the pairs whose first is one of the leading faults of a setting from *start* to *end*."""
    case, leading = _leading(roster, setting)
    lots = Lots()
    for first in leading[start:end]:
        _draw_pairs(lots, setting, scope, pairs_after(case, first))
    return lots


@lru_cache(maxsize=8)
def _leading(roster: Roster, setting: Setting) -> tuple[Case, list[HostFault]]:
    case = case_of(roster, setting)
    return case, list(leading_faults(record_once(case).operations))


def judge_drawn(roster: Roster, setting: Setting, drawn: tuple[tuple[int, str], ...]) -> Tally:
    """Judge cases by their names, each with its rank; the setting itself need not be run for that."""
    case = case_of(roster, setting)
    tally, nowhere = Tally(), Space((), 0, 0)
    judging = Judging(case, nowhere)
    for rank, name in drawn:
        one = under(case, name)
        if one.order != judging.setting.order:
            judging = Judging(attrs.evolve(case, order=one.order), nowhere)
        tally.count(judging.judge(one.fault), one.fault, rank)
        tally.orders.update([str(one.order)] if one.order.departures else [])
    return tally


def judge_all_pairs(roster: Roster, setting: Setting, start: int, end: int) -> Tally:
    """Judge every pair whose first is one of the leading faults of a setting from *start* to *end*."""
    case, leading = _leading(roster, setting)
    tally, judging = Tally(), Judging(case, Space((), 0, 0))
    for number, first in enumerate(leading[start:end], start):
        for rank, pair in enumerate(pairs_after(case, first)):
            tally.count(judging.judge(pair), pair, number * MOST_PAIRS + rank)
    return tally


MOST_PAIRS = 1_000_000
"""More pairs than any one fault begins: what the ranks of its pairs are apart from those of the next."""
