"""From what was judged to what is reported: cells, coverage, the smallest case of each violation."""

import enum
from collections.abc import Iterator

import attrs

from blockops.lab.case import named, replay_command
from blockops.lab.drawn import Found
from blockops.lab.identity import versions
from blockops.lab.laws import LAWS
from blockops.lab.parts import Depth, Part, Survey
from blockops.lab.replay import abridged, watch
from blockops.lab.results import (
    Cell,
    Coverage,
    Crossed,
    Design,
    Distinct,
    Orders,
    Portion,
    Purpose,
    Results,
    Scene,
    Suffering,
    Verdict,
    Violation,
)
from blockops.lab.scenario import SCENARIOS, Scenario
from blockops.lab.settings import Settings
from blockops.lab.tally import Broken, Tally
from blockops.lab.world import World, as_dict
from blockops.management.use_cases import USE_CASES


def cells_of(part: Part) -> Iterator[Cell]:
    """Yield a cell for each law."""
    contestant, tally = part.contestant, part.tally.settled()
    for law in LAWS:
        counts = {verdict.value: tally.verdicts.get((law.id, verdict), 0) for verdict in Verdict}
        broken = [one for (name, _), one in tally.violations.items() if name == law.id]
        smallest = min(broken, key=lambda one: one.rank).case if broken else None
        yield Cell(
            contestant.entry.id,
            contestant.profile.value,
            contestant.manager.value,
            part.place,
            law.id,
            inexpressible=part.inexpressible,
            smallest=smallest,
            lasting=part.tally.lasting.get(law.id, 0),
            sampled=part.surveyed is not None and _is_partly(part, part.surveyed),
            **counts,
        )


def _is_partly(part: Part, surveyed: Survey) -> bool:
    """Whether there may be cases that were not judged."""
    return part.tally.cases < part.cases or (surveyed.power is not None and surveyed.power.truncated > 0)


def _coverage(settings: Settings, part: Part, surveyed: Survey) -> Coverage:
    tally = part.tally
    notes = []
    if tally.cases < part.planned:
        notes.append(f"truncated: {tally.cases} of {part.planned} planned cases judged before the interrupt")
    cuts, capped = surveyed.power, surveyed.power is not None and surveyed.power.truncated > 0
    if cuts is not None and capped:
        notes.append(f"truncated: at {cuts.truncated} of {cuts.instants} instants not all states were tried")
    if settings.groups is not None:
        notes.append(f"only the faults {', '.join(settings.faults)}")
    if tally.equal:
        notes.append(f"{tally.equal} cases equal others and were judged with them")
    return Coverage(
        part.contestant.id,
        part.place,
        tally.cases,
        part.cases,
        len(tally.points),
        surveyed.points,
        tuple(
            Portion(
                group,
                tally.groups.get(group, 0),
                of - tally.pruned,
                tally.masked.get(group, 0),
                tally.unmet.get(group, 0),
            )
            for group, of in surveyed.groups.items()
        ),
        part.setting.world.devices,
        sampled=part.planned != part.cases or capped,  # of pairs not met yet, more are planned than are known
        truncated=tally.cases < part.planned,
        note="; ".join(notes),
        left=max(part.planned - tally.cases, 0),
        power=cuts,
        orders=_orders_of(part),
        crossed=_crossed_of(part, surveyed),
        equal=tally.equal,
    )


def _orders_of(part: Part) -> Orders | None:
    if part.depth is not Depth.ORDERS:
        return None
    return Orders(part.scope.departures, part.tally.cases, part.tally.pruned)


def _crossed_of(part: Part, surveyed: Survey) -> Crossed | None:
    if part.depth is not Depth.CROSSED:
        return None
    return Crossed(len(part.tally.orders), surveyed.crossing.orders)


def _violations(parts: list[Part]) -> tuple[Violation, ...]:
    """Return the smallest case of each distinct violation of each contestant, over its use cases."""
    smallest: dict[tuple[str, str, str], tuple[int, str, Part, str]] = {}
    counts: dict[tuple[str, str, str], int] = {}
    for part in parts:
        for (law, sort), broken in sorted(part.tally.settled().violations.items(), key=_by_rank):
            key = (part.contestant.id, law, sort)
            counts[key] = counts.get(key, 0) + broken.count
            if key not in smallest:
                smallest[key] = (broken.rank, broken.case, part, broken.sentence)
    return tuple(
        _violation(key, case, part, sentence, counts[key])
        for key, (_, case, part, sentence) in smallest.items()
    )


def _distinct(parts: list[Part]) -> Iterator[Distinct]:
    """Yield the distinct violations of each part; drawn worlds, which other code draws anew, are left out."""
    for part in parts:
        for (law, sort), broken in sorted(part.tally.settled().violations.items(), key=_by_rank):
            yield Distinct(part.contestant.id, part.place, law, sort, broken.case, broken.count)


def _by_rank(item: tuple[tuple[str, str], Broken]) -> tuple[int, int, str]:
    (law, sort), broken = item
    return broken.rank, [known.id for known in LAWS].index(law), sort


def _violation(key: tuple[str, str, str], case_id: str, part: Part, sentence: str, count: int) -> Violation:
    contestant, law, sort = key
    replayed = watch(named(part.case, case_id))
    return Violation(
        case_id,
        law,
        sentence,
        abridged(replayed.timeline),
        count,
        f"{contestant}: {law}: {sort}",
        replayed.fault_point,
        replay_command(case_id),
    )


def _scenes(settings: Settings, parts: list[Part]) -> tuple[Scene, ...]:
    """Return who suffers which scenario: those asked for or else all whose faults were."""
    asked = [one for one in SCENARIOS.values() if not settings.scenarios or one.id in settings.scenarios]
    found = ((scenario, tuple(_sufferings(scenario, parts))) for scenario in asked)
    return tuple(
        Scene(one.id, one.kind, one.says, one.tells, one.use_case, one.faults, one.reports, rows)
        for one, rows in found
        if rows or settings.scenarios
    )


def _sufferings(scenario: Scenario, parts: list[Part]) -> Iterator[Suffering]:
    """Yield a row for each contestant; its variants are in a part of their own."""
    tallies: dict[str, Tally] = {}
    partly: set[str] = set()
    for part in parts:
        asked = part.scope.groups is None or part.scope.groups.issuperset(scenario.faults)
        there = part.setting.use_case == scenario.use_case and part.setting.world == scenario.world
        if not asked or not there:
            continue
        if part.tally.cases:
            tallies.setdefault(part.contestant.id, Tally()).add(part.tally)
        if part.tally.cases < part.planned and part.depth is not Depth.PAIRS:
            partly.add(part.contestant.id)
    for contestant, tally in tallies.items():
        verdicts = {verdict: tally.scenes.get((scenario.id, verdict), 0) for verdict in Verdict}
        cases, worst = sum(verdicts.values()), tally.suffered.get(scenario.id)
        yield Suffering(
            contestant,
            cases,
            exercised=cases - verdicts[Verdict.NOT_EXERCISED],
            suffered=verdicts[Verdict.VIOLATED],
            smallest=None if worst is None else worst.case,
            sentence="" if worst is None else worst.sentence,
            partly=contestant in partly,
        )


def results_of(settings: Settings, parts: list[Part], found: tuple[Found, ...]) -> Results:
    """Return what was found in *parts* and in drawn worlds, as far as they were judged."""
    worlds = {
        part.setting.world.digest(): part.setting.world for part in parts if not part.setting.world.standard
    }
    worlds |= {one.world.digest(): one.world for one in found}
    broken = sorted({sentence for part in parts for sentence in part.tally.broken})
    return Results(
        versions=versions(part.contestant for part in parts),
        seed=settings.seed,
        settings=attrs.asdict(settings),
        coverage=tuple(_coverage(settings, part, part.surveyed) for part in parts if part.surveyed),
        cells=tuple(cell for part in parts for cell in cells_of(part)),
        violations=(*_violations(parts), *(one.violation for one in found)),
        worlds={digest: as_dict(world) for digest, world in worlds.items()},
        broken_invariants=tuple(broken),
        designs=_designs(parts),
        purposes=_purposes(parts),
        scenes=_scenes(settings, parts),
        distinct=tuple(_distinct(parts)),
    )


def _designs(parts: list[Part]) -> tuple[Design, ...]:
    entries = {part.contestant.entry.id: part.contestant.entry for part in parts}
    return tuple(Design(entry.id, entry.title, entry.author, entry.page) for entry in entries.values())


def _purposes(parts: list[Part]) -> tuple[Purpose, ...]:
    return tuple(
        Purpose(name, f"{USE_CASES[part.setting.use_case].wants}{_where(part)}")
        for name, part in {part.place: part for part in parts}.items()
    )


def _where(part: Part) -> str:
    """Say in which world, where it is not the standard one, and which cases, where not the usual ones."""
    world, standard = part.setting.world, World(devices=part.setting.world.devices)
    differs = [
        f"{field.name} {_plain(getattr(world, field.name))}"
        for field in attrs.fields(World)
        if getattr(world, field.name) != getattr(standard, field.name)
    ]
    besides = [part.depth.value] if part.depth.besides else []
    return "".join(f"; {word}" for word in (*differs, *besides))


def _plain(value: object) -> str:
    match value:
        case tuple():
            return ", ".join(map(_plain, value))
        case enum.Enum():
            return str(value.value)
        case _:
            return str(value)
