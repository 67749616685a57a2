"""What a worker does: survey a setting, judge a slice of it.

Only names, worlds and tallies cross between processes; each worker finds by name the contestants that
it was started with.
"""

import gc
import signal
from functools import lru_cache
from multiprocessing import parent_process
from threading import Thread

from blockops.lab.case import Case
from blockops.lab.exploring import Space, record, space
from blockops.lab.faults.pace import NoFault
from blockops.lab.judging import Judging
from blockops.lab.plan import Setting, Survey
from blockops.lab.tally import Tally
from blockops.management.contestant import Contestant
from blockops.management.use_cases import USE_CASES

SLICE = 200
"""How many cases a worker judges before it reports."""

_contestants: dict[str, Contestant] = {}


def enlist(contestants: tuple[Contestant, ...]) -> None:
    """Make the contestants known by name in this process."""
    _contestants.update({contestant.id: contestant for contestant in contestants})


def contestant_named(identity: str) -> Contestant:
    """Return the contestant with this id, one of those enlisted."""
    return _contestants[identity]


def start_worker(contestants: tuple[Contestant, ...]) -> None:
    """Begin a worker's life: a Ctrl-C is for the main process to hear, which then ends the workers.

    Where the main process is killed and can end nobody, a worker ends by itself.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    Thread(target=_end_with_the_main_process, daemon=True).start()
    enlist(contestants)
    gc.freeze()  # what is loaded by now stays; looking through it again and again would find nothing


def _end_with_the_main_process() -> None:
    main = parent_process()
    if main is not None:
        main.join()
        signal.raise_signal(signal.SIGTERM)


def case_of(setting: Setting) -> Case:
    """Return the fault-free case of a setting."""
    return Case(_contestants[setting.contestant], USE_CASES[setting.use_case], setting.world, NoFault())


@lru_cache(maxsize=8)
def _space(setting: Setting, groups: frozenset[str] | None, complete: bool) -> tuple[Case, Space]:
    case = case_of(setting)
    return case, space(case, record(case), groups, complete or setting.world.devices <= 2)


def survey(setting: Setting, groups: frozenset[str] | None, complete: bool) -> Survey:
    """Record a setting and return the size of its space."""
    _, found = _space(setting, groups, complete)
    by_group = [fault.group for fault in found.faults]
    return Survey(
        len(found.faults),
        found.points,
        found.all_points,
        by_group.count("kill"),
        by_group.count("manager-dies"),
        tuple(dict.fromkeys(by_group)),
    )


def judge_slice(setting: Setting, groups: frozenset[str] | None, complete: bool, start: int) -> Tally:
    """Judge the cases of a setting from *start* to the end of that slice."""
    case, found = _space(setting, groups, complete)
    tally, judging = Tally(), Judging(case, found)
    for rank in range(start, min(start + SLICE, len(found.faults))):
        tally.count(judging.judge(found.faults[rank]), rank)
    return tally
