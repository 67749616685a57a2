"""What is done elsewhere: survey a setting, judge a slice of it, find and judge pairs of faults.

Only names, worlds and tallies cross between processes: each finds the contestants by the roster, which
is a function of a module, so any executor will do.
"""

from collections import Counter
from collections.abc import Iterable
from functools import cache, lru_cache

from blockops.lab.case import Case
from blockops.lab.exploring import Space, at_the_edge, record, record_once, space
from blockops.lab.faults import parse_fault
from blockops.lab.faults.fault import Fault
from blockops.lab.faults.host import HostFault
from blockops.lab.faults.pace import NoFault
from blockops.lab.judging import Judging
from blockops.lab.pairs import leading_faults, leads, pairs_after, pairs_on
from blockops.lab.plan import Roster, Scope, Setting, Survey
from blockops.lab.sampling import Lots, sampled
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
    """Record a setting and return the size of its space.

    Where all of it is to be judged it is recorded twice, to see that the lab is deterministic.
    """
    case = case_of(roster, setting)
    recording = record(case) if scope.inner else record_once(case)
    everything = space(case, recording, scope.groups, complete=True)
    groups = Counter(fault.group for fault in everything.faults if not fault.is_variant)
    variants = Counter(fault.group for fault in everything.faults if fault.is_variant)
    edge = {0} | at_the_edge(case, recording.operations)
    choice = sum(scope.inner or fault.armed_from in edge for fault in everything.faults)
    leading = sum(1 for _ in leading_faults(recording.operations))
    return Survey(dict(groups), dict(variants), everything.points, choice, leading)


def judge_slice(roster: Roster, setting: Setting, scope: Scope, start: int, end: int) -> Tally:
    """Judge the cases of a setting from *start* to *end*, of those that *scope* asks for."""
    case, found, ranks = _chosen(roster, setting, scope)
    tally, judging = Tally(), Judging(case, found)
    for rank in ranks[start:end]:
        fault = found.faults[rank]
        judged = judging.judge(fault)
        tally.count(judged, fault, rank)
        if scope.pairs is not None and isinstance(fault, HostFault) and leads(fault):
            _draw(tally.pairs, setting, scope, pairs_on(fault, judged.way))
    return tally


def _draw(lots: Lots, setting: Setting, scope: Scope, pairs: Iterable[Fault]) -> None:
    lots.limit = scope.pairs or 0
    lots.draw(scope.seed, [f"{setting}/{pair}" for pair in pairs])


@lru_cache(maxsize=8)
def _chosen(roster: Roster, setting: Setting, scope: Scope) -> tuple[Case, Space, list[int]]:
    case = case_of(roster, setting)
    found = space(case, record_once(case), scope.groups, scope.inner)
    return case, found, chosen_ranks(setting, found, scope)


def chosen_ranks(setting: Setting, found: Space, scope: Scope) -> list[int]:
    """Return which faults of a space are asked for: the case without one always, if it is in the space."""
    ranks = [rank for rank, fault in enumerate(found.faults) if scope.variants in (None, fault.is_variant)]
    if scope.sample is None:
        return ranks
    first = [rank for rank in ranks if isinstance(found.faults[rank], NoFault)]
    rest = [rank for rank in ranks if rank not in first]
    names = [f"{setting}/{found.faults[rank]}" for rank in rest]
    lucky = sampled(names, max(0, scope.sample - len(first)), scope.seed)
    return sorted([*first, *(rest[number] for number in lucky)])


def find_pairs(roster: Roster, setting: Setting, scope: Scope, start: int, end: int) -> Lots:
    """Draw the pairs whose first is one of the leading faults of a setting from *start* to *end*."""
    case, leading = _leading(roster, setting)
    lots = Lots()
    for first in leading[start:end]:
        _draw(lots, setting, scope, pairs_after(case, first))
    return lots


@lru_cache(maxsize=8)
def _leading(roster: Roster, setting: Setting) -> tuple[Case, list[HostFault]]:
    case = case_of(roster, setting)
    return case, list(leading_faults(record_once(case).operations))


def judge_pairs(roster: Roster, setting: Setting, names: tuple[str, ...], start: int) -> Tally:
    """Judge the pairs with these *names*, whose first has rank *start* among all that are judged."""
    case = case_of(roster, setting)
    tally, judging = Tally(), Judging(case, Space((), 0, 0))
    for rank, name in enumerate(names, start):
        fault = parse_fault(name)
        tally.count(judging.judge(fault), fault, rank)
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
