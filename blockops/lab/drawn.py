"""Hypothesis draws the world, a loop breaks it: the smallest world in which a contestant fails.

A drawn example is a world (devices, sizes, clusters, chains, workload, schedule, cache mode, volumes)
and a use case.  Inside it the faults are tried in their order, at most `FAULTS` of them, evenly spread;
the first violation of a law decides, so that shrinking yields the smallest world.
"""

import random
from collections.abc import Iterable, Iterator

import attrs
import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from blockops.lab.cache import Cache
from blockops.lab.case import Case, replay_command
from blockops.lab.exploring import record, space
from blockops.lab.faults.fault import Fault
from blockops.lab.faults.pace import NoFault
from blockops.lab.judging import Judged, Judging
from blockops.lab.parts import Part
from blockops.lab.replay import abridged, watch
from blockops.lab.results import Verdict, Violation
from blockops.lab.settings import Roster, Settings
from blockops.lab.work import enlisted
from blockops.lab.workers import Errand
from blockops.lab.world import VOLUMES, Workload, World
from blockops.management.contestant import Contestant, Inexpressible
from blockops.management.use_cases import USE_CASES, UseCase

FAULTS = 40
"""How many faults are tried in one drawn example."""

GRAVE = ("all-or-nothing", "one-instant", "content", "nothing-lost", "sound", "released", "same-after-reopen")
"""The laws whose violation a drawn world is searched for, in the order in which one case is looked at."""


@attrs.frozen
class Found:
    """The smallest world that was found, and the violation in it."""

    world: World
    violation: Violation


@attrs.frozen
class Sighting:
    """A case that violates a law, by names: what crosses between processes."""

    use_case: str
    world: World
    fault: Fault
    law: str
    sentence: str


@attrs.frozen
class Searched:
    """What came of the search for a contestant."""

    contestant: str
    sighting: Sighting | None


@attrs.frozen
class Drawn:
    """What Hypothesis draws."""

    use_case: str
    world: World


def worlds(devices: st.SearchStrategy[int], volumes: tuple[str, ...] = ()) -> st.SearchStrategy[World]:
    """Return small worlds of all shapes; *volumes* says which new images may lie on some."""
    workload = st.builds(
        Workload,
        before=st.integers(0, 8),
        after=st.integers(2, 8),
        sectors=st.integers(1, 5),
        flush_every=st.integers(1, 4),
        record=st.sampled_from([64, 192, 512]),
        in_flight=st.integers(1, 3),
        shift=st.sampled_from([0, 64, 192, 448]),
        discard_every=st.integers(0, 3),
    )
    return st.builds(
        World,
        devices=devices,
        size=st.sampled_from([4096, 8192, 32768, 65536]),
        cluster_size=st.sampled_from([512, 1024, 4096, 65536]),
        depth=st.integers(0, 2),
        base_format=st.sampled_from(["qcow2", "raw"]),
        workload=workload,
        schedule=st.lists(st.integers(0, 3), min_size=1, max_size=3).map(tuple).filter(any),
        cache=st.sampled_from(Cache),
        volumes=st.sampled_from(sorted({(), volumes})),
    )


def examples(contestant: Contestant) -> st.SearchStrategy[Drawn]:
    """Return worlds with a use case that the contestant can express."""
    expressible = [
        use_case
        for use_case in USE_CASES.values()
        if not isinstance(contestant.program(use_case.id), Inexpressible)
    ]
    return st.one_of(
        [st.builds(Drawn, st.just(use_case.id), _worlds_of(use_case)) for use_case in expressible]
    )


def _worlds_of(use_case: UseCase) -> st.SearchStrategy[World]:
    return worlds(_devices(use_case.device_counts), VOLUMES.get(use_case.id, ()))


def _devices(counts: tuple[int, ...]) -> st.SearchStrategy[int]:
    return st.just(1) if max(counts) == 1 else st.integers(2, 3)


def tried(contestant: Contestant, drawn: Drawn) -> Iterator[tuple[Case, Judged]]:
    """Break one drawn world at some `FAULTS` points, evenly spread; yield each case with its judgement."""
    case = Case(contestant, USE_CASES[drawn.use_case], drawn.world, NoFault())
    found = space(case, record(case), None, complete=True)
    judging, stride = Judging(case, found), max(1, len(found.faults) // FAULTS)
    for fault in found.faults[::stride]:
        yield attrs.evolve(case, fault=fault), judging.judge(fault)


def sighting(contestant: Contestant, drawn: Drawn) -> Sighting | None:
    """Break one drawn world; return the first case that violates a grave law."""
    for case, found in tried(contestant, drawn):
        verdicts = found.judgements
        for law in GRAVE:
            if law in verdicts and verdicts[law].verdict is Verdict.VIOLATED:
                return Sighting(drawn.use_case, drawn.world, case.fault, law, verdicts[law].sentence)
    return None


def search(roster: Roster, contestant_id: str, budget: int, seed: int) -> Searched:
    """Let Hypothesis draw *budget* examples for a contestant and shrink the first that fails."""
    contestant = enlisted(roster)[contestant_id]
    try:
        smallest = hypothesis.find(
            examples(contestant),
            lambda drawn: sighting(contestant, drawn) is not None,
            settings=hypothesis.settings(
                max_examples=budget,
                deadline=None,
                database=None,
                phases=(Phase.generate, Phase.shrink),
                suppress_health_check=list(HealthCheck),
            ),
            random=random.Random(seed),
        )
    except NoSuchExample:
        return Searched(contestant_id, None)
    return Searched(contestant_id, sighting(contestant, smallest))


def searches(settings: Settings, roster: Roster, parts: Iterable[Part]) -> Iterator[Errand[Searched]]:
    """Yield the search for a smallest failing world for every contestant of *parts*.

    There is nothing to search where *examples* is 0, nor on images that were given.
    """
    if settings.examples == 0 or settings.images:
        return
    for contestant in dict.fromkeys(
        part.setting.contestant for part in parts if not part.contestant.entry.real
    ):
        arguments = (roster, contestant, settings.examples, settings.seed)
        yield Errand(f"search {contestant}", contestant, search, arguments, Searched)


def found_worlds(parts: Iterable[Part], searched: Iterable[Searched]) -> tuple[Found, ...]:
    """Return what the searches found, in the order of the contestants."""
    seen = {one.contestant: one.sighting for one in searched}
    contestants = {part.contestant.id: part.contestant for part in parts}
    found = [(contestant, seen.get(name)) for name, contestant in contestants.items()]
    return tuple(_found(contestant, sighting) for contestant, sighting in found if sighting is not None)


def _found(contestant: Contestant, seen: Sighting) -> Found:
    case = Case(contestant, USE_CASES[seen.use_case], seen.world, seen.fault)
    replayed = watch(case)
    violation = Violation(
        case.id,
        seen.law,
        seen.sentence,
        abridged(replayed.timeline),
        1,
        f"{contestant.id}: {seen.law}: drawn by Hypothesis",
        replayed.fault_point,
        replay_command(case.spelled),
    )
    return Found(seen.world, violation)
