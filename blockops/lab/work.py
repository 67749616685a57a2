"""What is done elsewhere: survey a setting, judge a slice of it.

Only names, worlds and tallies cross between processes: each finds the contestants by the roster, which
is a function of a module, so any executor will do.
"""

from functools import cache, lru_cache

from blockops.lab.case import Case
from blockops.lab.exploring import Space, record, record_once, space
from blockops.lab.faults.pace import NoFault
from blockops.lab.judging import Judging
from blockops.lab.plan import Roster, Scope, Setting, Survey
from blockops.lab.sampling import sampled
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
    """Record a setting, twice, and return the size of its space."""
    case = case_of(roster, setting)
    recording = record(case)
    everything = space(case, recording, scope.groups, complete=True)
    groups: dict[str, int] = {}
    for fault in everything.faults:
        groups[fault.group] = groups.get(fault.group, 0) + 1
    choice = everything if scope.inner else space(case, recording, scope.groups, complete=False)
    return Survey(groups, everything.points, len(choice.faults))


def slices(setting: Setting, cases: int) -> list[tuple[int, int]]:
    """Divide so many cases of a setting into pieces of work of a few tenths of a second: (start, end)."""
    length = max(10, 400 // setting.world.devices)
    return [(start, min(start + length, cases)) for start in range(0, cases, length)]


def judge_slice(roster: Roster, setting: Setting, scope: Scope, start: int, end: int) -> Tally:
    """Judge the cases of a setting from *start* to *end*, of those that *scope* asks for."""
    case, found, ranks = _chosen(roster, setting, scope)
    tally, judging = Tally(), Judging(case, found)
    for rank in ranks[start:end]:
        tally.count(judging.judge(found.faults[rank]), found.faults[rank], rank)
    return tally


@lru_cache(maxsize=8)
def _chosen(roster: Roster, setting: Setting, scope: Scope) -> tuple[Case, Space, list[int]]:
    case = case_of(roster, setting)
    found = space(case, record_once(case), scope.groups, scope.inner)
    return case, found, chosen_ranks(setting, found, scope)


def chosen_ranks(setting: Setting, found: Space, scope: Scope) -> list[int]:
    """Return which faults of a space are asked for: the case without one always, if it is in the space."""
    if scope.sample is None:
        return list(range(len(found.faults)))
    first = [rank for rank, fault in enumerate(found.faults) if isinstance(fault, NoFault)]
    rest = [rank for rank in range(len(found.faults)) if rank not in first]
    names = [f"{setting}/{found.faults[rank]}" for rank in rest]
    lucky = sampled(names, max(0, scope.sample - len(first)), scope.seed)
    return sorted([*first, *(rest[number] for number in lucky)])
