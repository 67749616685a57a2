"""The comparison: every part, every fault, judged by all workers, added up to one result.

Tallies add up to the same whole in any order, so the result does not depend on how many workers there
were.  An interrupt ends the run with what had been judged by then.
"""

import platform
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from importlib.metadata import version
from multiprocessing import get_context

import attrs

from blockops.lab.drawn import Found, found_worlds, search_worlds
from blockops.lab.faults import parse_fault
from blockops.lab.laws import LAWS
from blockops.lab.plan import Part, Settings, Survey, parts_of
from blockops.lab.replay import abridged, watch
from blockops.lab.results import (
    Cell,
    Coverage,
    Design,
    Purpose,
    Results,
    ToolSample,
    Verdict,
    Violation,
)
from blockops.lab.sample import sample_images
from blockops.lab.tally import Broken, Tally
from blockops.lab.work import SLICE, case_of, enlist, judge_slice, start_worker, survey
from blockops.lab.world import as_dict
from blockops.management.contestant import Contestant
from blockops.management.use_cases import USE_CASES

__all__ = ["Progress", "Settings", "compare"]


@attrs.frozen
class Progress:
    """How far a comparison is: cases judged, cases to be judged, and the cells as they stand."""

    done_cases: int
    expected_cases: int
    parts: tuple[Part, ...]

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells so far; counting them takes a while."""
        return tuple(cell for part in self.parts for cell in cells_of(part))


Watch = Callable[[Progress], None]


def compare(settings: Settings, contestants: tuple[Contestant, ...], on_progress: Watch) -> Results:
    """Run the whole comparison; an interrupt ends it early with what there is."""
    enlist(contestants)
    parts = parts_of(settings, contestants)
    found: tuple[Found, ...] = ()
    sample = ToolSample()
    interrupted = False
    executor = _workers(settings, contestants)
    try:
        _survey(settings, executor, parts)
        _judge(settings, executor, parts, on_progress)
        searches = search_worlds(settings, executor, parts)
        sample = sample_images(settings, parts)  # here, while the workers search
        found = found_worlds(searches)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        _dismiss(executor)
    return attrs.evolve(_results(settings, parts, found), interrupted=interrupted, qemu_img_sample=sample)


def _workers(settings: Settings, contestants: tuple[Contestant, ...]) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        settings.workers, get_context("fork"), initializer=start_worker, initargs=(contestants,)
    )


def _dismiss(executor: ProcessPoolExecutor) -> None:
    """End the workers; after an interrupt without waiting for what they are at."""
    processes = list((executor._processes or {}).values())  # no public way to end a busy worker
    executor.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()


def _expressible(parts: list[Part]) -> list[Part]:
    return [part for part in parts if part.inexpressible is None]


def _survey(settings: Settings, executor: Executor, parts: list[Part]) -> None:
    asked = _expressible(parts)
    surveys = executor.map(
        survey,
        [part.setting for part in asked],
        [settings.groups] * len(asked),
        [settings.complete] * len(asked),
    )
    for part, found in zip(asked, surveys, strict=True):
        part.surveyed = found


def _judge(settings: Settings, executor: Executor, parts: list[Part], on_progress: Watch) -> None:
    expected = sum(part.surveyed.faults for part in parts if part.surveyed is not None)
    running: dict[Future[Tally], Part] = {
        executor.submit(judge_slice, part.setting, settings.groups, settings.complete, start): part
        for part in _expressible(parts)
        for start in range(0, part.surveyed.faults if part.surveyed else 0, SLICE)
    }
    waiting = set(running)
    while waiting:
        done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
        for future in done:
            running[future].tally.add(future.result())
        on_progress(Progress(sum(part.tally.cases for part in parts), expected, tuple(parts)))


# --------------------------------------------------------------------------------------- the results


def cells_of(part: Part) -> Iterator[Cell]:
    """Yield a cell for each law."""
    contestant = part.contestant
    for law in LAWS:
        counts = {verdict.value: part.tally.verdicts.get((law.id, verdict), 0) for verdict in Verdict}
        broken = [one for (name, _), one in part.tally.violations.items() if name == law.id]
        smallest = min(broken, key=lambda one: one.rank).case if broken else None
        yield Cell(
            contestant.entry.id,
            contestant.profile.value,
            contestant.manager.value,
            _purpose(part),
            law.id,
            inexpressible=part.inexpressible,
            smallest=smallest,
            **counts,
        )


def _purpose(part: Part) -> str:
    return f"{part.setting.use_case}-{part.setting.world.devices}"


def _coverage(settings: Settings, part: Part, surveyed: Survey) -> Coverage:
    notes = []
    if surveyed.points < surveyed.all_points:
        notes.append(
            f"{surveyed.points} of {surveyed.all_points} host operations broken: those on the first and the "
            f"last device"
        )
    if part.tally.cases < surveyed.faults:
        notes.append(f"{part.tally.cases} of {surveyed.faults} cases judged before the interrupt")
    if settings.groups is not None:
        notes.append(f"only the faults {', '.join(settings.faults)}")
    if part.tally.equal:
        notes.append(f"{part.tally.equal} cases equal others and were judged with them")
    if part.tally.masked:
        notes.append(f"{part.tally.masked} faults never struck")
    return Coverage(
        part.contestant.id,
        _purpose(part),
        surveyed.points,
        surveyed.kinds,
        part.tally.cases,
        surveyed.kills,
        surveyed.deaths,
        truncated=surveyed.points < surveyed.all_points or part.tally.cases < surveyed.faults,
        note="; ".join(notes),
    )


def _violations(parts: list[Part]) -> tuple[Violation, ...]:
    """Return the smallest case of each distinct violation of each contestant, over its use cases."""
    smallest: dict[tuple[str, str, str], tuple[int, str, Part, str]] = {}
    counts: dict[tuple[str, str, str], int] = {}
    for part in parts:
        for (law, sort), broken in sorted(part.tally.violations.items(), key=_by_rank):
            key = (part.contestant.id, law, sort)
            counts[key] = counts.get(key, 0) + broken.count
            if key not in smallest:
                smallest[key] = (broken.rank, broken.case, part, broken.sentence)
    return tuple(
        _violation(key, case, part, sentence, counts[key])
        for key, (_, case, part, sentence) in smallest.items()
    )


def _by_rank(item: tuple[tuple[str, str], Broken]) -> tuple[int, int, str]:
    (law, sort), broken = item
    return broken.rank, _ORDER[law], sort


_ORDER = {law.id: number for number, law in enumerate(LAWS)}


def _violation(key: tuple[str, str, str], case_id: str, part: Part, sentence: str, count: int) -> Violation:
    contestant, law, sort = key
    base = case_of(part.setting)
    replayed = watch(attrs.evolve(base, fault=parse_fault(case_id.rpartition("/")[2])))
    return Violation(
        case_id,
        law,
        sentence,
        abridged(replayed.timeline),
        count,
        f"{contestant}: {law}: {sort}",
        replayed.fault_point,
        f"blockops replay {case_id}",
    )


def _results(settings: Settings, parts: list[Part], found: tuple[Found, ...]) -> Results:
    worlds = {
        part.setting.world.digest(): part.setting.world for part in parts if not part.setting.world.standard
    }
    worlds |= {one.world.digest(): one.world for one in found}
    broken = sorted({sentence for part in parts for sentence in part.tally.broken})
    return Results(
        versions=versions(),
        seed=settings.seed,
        settings=attrs.asdict(settings),
        coverage=tuple(_coverage(settings, part, part.surveyed) for part in parts if part.surveyed),
        cells=tuple(cell for part in parts for cell in cells_of(part)),
        violations=(*_violations(parts), *(one.violation for one in found)),
        worlds={digest: as_dict(world) for digest, world in worlds.items()},
        broken_invariants=tuple(broken),
        designs=_designs(parts),
        purposes=_purposes(parts),
    )


def _designs(parts: list[Part]) -> tuple[Design, ...]:
    entries = {part.contestant.entry.id: part.contestant.entry for part in parts}
    return tuple(Design(entry.id, entry.title, entry.author, entry.page) for entry in entries.values())


def _purposes(parts: list[Part]) -> tuple[Purpose, ...]:
    return tuple(
        Purpose(name, USE_CASES[use_case].wants)
        for name, use_case in {_purpose(part): part.setting.use_case for part in parts}.items()
    )


def versions() -> dict[str, str]:
    """Return what took part, by version."""
    names = ("blockops", "hypothesis", "attrs")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}
