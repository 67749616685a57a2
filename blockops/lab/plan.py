"""What a comparison is to do: its settings, and the parts that they select.

A part is one contestant with one use case in one world; it is either inexpressible, with the reason, or
has a space of faults that is surveyed and then judged slice by slice (`work`): all of it, or a sample
(`policy`).
"""

import enum
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import TypeAlias

import attrs

from blockops.commands.profile import Profile
from blockops.lab.cache import Cache
from blockops.lab.case import Case
from blockops.lab.faults import parse_fault
from blockops.lab.faults.fault import Fault
from blockops.lab.faults.host import PAIR
from blockops.lab.faults.pace import NoFault
from blockops.lab.faults.power import LYING, POWER
from blockops.lab.policy import DEFAULT, FULL, TOGETHER, Policy, shares
from blockops.lab.results import PowerCuts
from blockops.lab.sampling import Lots
from blockops.lab.tally import Tally
from blockops.lab.world import VOLUMES, World
from blockops.management.contestant import Contestant, Inexpressible, Manager
from blockops.management.use_cases import USE_CASES, UseCase

Roster: TypeAlias = Callable[[], tuple[Contestant, ...]]
"""Returns everybody who may take part.

It crosses to other processes by its name, so it must be a function of a module; contestants themselves,
which are made of programs, need not cross.
"""

FURTHER_WORLDS: tuple[World, ...] = (
    World(devices=2, depth=1, base_format="raw"),
    World(devices=2, cache=Cache.WRITETHROUGH),
    World(devices=2, cache=Cache.UNSAFE),
)
"""Worlds other than the standard one in which every use case that has their number of devices is run, too.

A use case whose new images can lie on fixed volumes is run on those as well.
"""


@attrs.frozen
class Settings:
    """What to compare.  Empty tuples mean all; *devices* replaces each use case's own device counts.

    *contestants*: designs or whole ids.  *images*: real images (absolute path, format) that stand below
    d0, d1, … and are never written.  *complete*: sample nothing.  *scenarios*: those to be reported,
    empty for all.
    """

    devices: int | None = None
    use_cases: tuple[str, ...] = ()
    contestants: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    managers: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    images: tuple[tuple[str, str], ...] = ()
    jobs: int = 0
    seed: int = 7
    examples: int = 2
    complete: bool = False
    scenarios: tuple[str, ...] = ()

    @property
    def workers(self) -> int:
        """The number of worker processes: as asked, or one a core."""
        return self.jobs or len(os.sched_getaffinity(0))

    @property
    def groups(self) -> frozenset[str] | None:
        """The fault groups asked for, None for all."""
        return frozenset(self.faults) or None

    @property
    def policy(self) -> Policy:
        """How far to go."""
        return FULL if self.complete else DEFAULT


class Depth(enum.Enum):
    """Why a setting is compared, and so how far: the policy says how much of all but the first."""

    OWN = "the use case with two devices, or with as many as were asked for"
    ODD = "the use case with its own number of devices, which is not two"
    OTHERS = "with other numbers of devices"
    WORLDS = "in further worlds"
    PAIRS = "pairs of host faults"
    VARIANTS = "host faults in other spans, second deaths of management, and the guest at another pace"
    ORDERS = "orders in which one task takes one step out of turn, and nothing breaks"
    POWER = "power cuts"
    LYING = "power cuts where the storage had lied about every flush"

    @property
    def besides(self) -> str:
        """What the report adds to the name of a place that has been compared in another depth, too."""
        return f" {self.name.lower()}" if self in _BESIDES else ""

    @property
    def alone(self) -> bool:
        """Whether its parts are surveyed each by itself, not with the setting's single faults."""
        return self in (Depth.ORDERS, Depth.POWER, Depth.LYING)


_BESIDES = (Depth.PAIRS, Depth.VARIANTS, Depth.ORDERS, Depth.POWER, Depth.LYING)

_CUTS = {Depth.POWER: POWER, Depth.LYING: LYING}


@attrs.frozen
class Setting:
    """A contestant with a use case in a world, by names: what crosses to a worker."""

    contestant: str
    use_case: str
    world: World

    @property
    def place(self) -> str:
        """The use case with its devices and, where it is not the standard one, its world."""
        return f"{self.use_case}-{self.world.name}"

    def __str__(self) -> str:
        return f"{self.contestant}/{self.place}"


@attrs.frozen
class Scope:
    """Which cases of a setting are asked for: of these fault groups, on *inner* devices too or not.

    *variants*: variants (`Fault.is_variant`), the others, or None: all.  *sample*: so many at most, drawn
    with *seed*, the one without a fault among them; None for all.  *pairs*: so many pairs are to be drawn
    of those that begin with one of the cases; None where none is wanted.
    """

    groups: frozenset[str] | None
    inner: bool
    seed: int
    variants: bool | None = None
    sample: int | None = None
    pairs: int | None = None

    def asks_for(self, fault: Fault) -> bool:
        """Whether variants, or others, are asked for and *fault* is one."""
        return self.variants is None or fault.is_variant is self.variants


@attrs.define
class Part:
    """One setting on its way: its space once surveyed, its tally so far, or why it cannot be asked.

    *drawn*: the cases that are to be judged, by rank and name, in order; None for all.
    """

    setting: Setting
    contestant: Contestant
    depth: Depth
    scope: Scope
    inexpressible: str | None = None
    surveyed: "Survey | None" = None
    drawn: tuple[tuple[int, str], ...] | None = None
    tally: Tally = attrs.field(factory=Tally)

    @property
    def place(self) -> str:
        """Under which name the report has it: the use case with its devices, and what of it is judged."""
        return f"{self.setting.place}{self.depth.besides}"

    def __str__(self) -> str:
        return f"{self.contestant.id}/{self.place}"

    @property
    def counted_as(self) -> str:
        """Whose survey it takes part in."""
        return str(self) if self.depth.alone else str(self.setting)

    @property
    def cases(self) -> int:
        """How many cases there are: of orders as many as may be, without those known to be equivalent."""
        return 0 if self.surveyed is None else self.surveyed.cases - self.tally.pruned

    @property
    def case(self) -> Case:
        """The setting's case without a fault."""
        return Case(self.contestant, USE_CASES[self.setting.use_case], self.setting.world, NoFault())

    @property
    def planned(self) -> int:
        """How many cases are to be judged; of pairs that are not met yet, the most that there may be."""
        if self.surveyed is None:
            return 0
        if self.drawn is not None:
            return len(self.drawn)
        if self.depth is Depth.PAIRS and not self.surveyed.cases:
            return self.scope.pairs or 0
        return self.cases


@attrs.frozen
class Survey:
    """The size of a setting's space: its cases by group of faults, and its host operations.

    *variants*: the same for those cases that are variants; *groups* has the others.  *choice*: how many of
    the cases may be sampled, the others are on inner devices; *leading*: how many faults there are that a
    pair may begin with.  *lots*: where cases are sampled, the names of those that drew the lowest, the
    lowest first, each with its rank in the space.  *power* has more numbers of power cuts.
    """

    groups: dict[str, int]
    variants: dict[str, int]
    points: int
    choice: int
    leading: int
    lots: dict[str, int] = attrs.field(factory=dict)
    power: PowerCuts | None = None

    @property
    def cases(self) -> int:
        """How many cases there are."""
        return sum(self.groups.values())

    def seen_by(self, part: Part) -> "Survey":
        """Return what there is for *part*, all of it in *groups*; pairs are met only later."""
        if part.depth.alone:
            return self
        if part.depth is Depth.PAIRS:
            return attrs.evolve(self, groups={}, variants={}, choice=0, lots={})
        match part.scope.variants:
            case True:
                return attrs.evolve(
                    self, groups=self.variants, variants={}, choice=sum(self.variants.values())
                )
            case False:
                return attrs.evolve(self, variants={}, lots={})
            case None:
                both = Counter(self.groups) + Counter(self.variants)
                return attrs.evolve(self, groups=dict(both), variants={})


def parts_of(settings: Settings, contestants: tuple[Contestant, ...]) -> list[Part]:
    """Return what is to be compared, in the order in which it is reported."""
    return [
        part
        for contestant in contestants
        if chosen(settings, contestant)
        for use_case in USE_CASES.values()
        if not settings.use_cases or use_case.id in settings.use_cases
        for depth, world in _worlds(settings, use_case)
        for part in _parts(settings, contestant, use_case, depth, world)
    ]


def chosen(settings: Settings, contestant: Contestant) -> bool:
    """Whether the settings ask for this contestant."""
    names = settings.contestants
    return (
        (not names or contestant.entry.id in names or contestant.id in names)
        and (not settings.profiles or contestant.profile.value in settings.profiles)
        and (not settings.managers or contestant.manager.value in settings.managers)
    )


def _worlds(settings: Settings, use_case: UseCase) -> Iterator[tuple[Depth, World]]:
    own, *others = use_case.device_counts
    if settings.images:
        devices = len(settings.images)
        yield _depth(devices, own), World(devices=devices, given=settings.images)
    elif settings.devices is not None:
        yield _depth(settings.devices, own), World(devices=settings.devices)
    else:
        yield Depth.OWN if own == EXHAUSTIVE else Depth.ODD, World(devices=own)
        yield from ((Depth.OTHERS, World(devices=count)) for count in others)
        yield from ((Depth.WORLDS, world) for world in _further(use_case))


def _further(use_case: UseCase) -> Iterator[World]:
    yield from (world for world in FURTHER_WORLDS if world.devices == use_case.device_counts[0])
    if use_case.id in VOLUMES:
        yield World(devices=use_case.device_counts[0], volumes=VOLUMES[use_case.id])


def _depth(devices: int, own: int) -> Depth:
    """Return how far to go where a number of devices was asked for: with few it is all the way."""
    return Depth.OWN if devices <= max(own, EXHAUSTIVE) else Depth.OTHERS


EXHAUSTIVE = 2
"""Up to this many devices, a number of devices that was asked for is not sampled."""


def _parts(
    settings: Settings, contestant: Contestant, use_case: UseCase, depth: Depth, world: World
) -> Iterator[Part]:
    """Yield the part of single faults and, where they are wanted apart, those of variants and of pairs."""
    program = contestant.program(use_case.id)
    setting = Setting(contestant.id, use_case.id, world)
    policy = settings.policy
    apart_here = {PAIR, POWER, LYING} if depth is Depth.OWN else {PAIR}
    single = None if settings.groups is None else settings.groups - apart_here
    scope = Scope(single, depth in (Depth.OWN, Depth.ODD) or policy.inner, settings.seed)
    if isinstance(program, Inexpressible):
        yield Part(setting, contestant, depth, scope, program.reason)
        return
    apart = depth is Depth.OWN and single is None and policy.variants is not None
    if apart:
        sample = _at_most(policy, Depth.VARIANTS)
        yield Part(setting, contestant, depth, attrs.evolve(scope, variants=False))
        yield Part(setting, contestant, Depth.VARIANTS, attrs.evolve(scope, variants=True, sample=sample))
    elif single is None or single:
        yield Part(setting, contestant, depth, attrs.evolve(scope, sample=_at_most(policy, depth)))
    asked = settings.groups is None or PAIR in settings.groups
    if asked and (depth is Depth.OWN or policy.pairs is None):
        yield Part(setting, contestant, Depth.PAIRS, scope)
    if depth is Depth.OWN:
        yield from _orders_and_cuts(settings, contestant, setting)


def _orders_and_cuts(settings: Settings, contestant: Contestant, setting: Setting) -> Iterator[Part]:
    """Yield what is tried with two devices alone, or where it is asked for by name."""
    policy, scope = settings.policy, Scope(frozenset(), inner=True, seed=settings.seed)
    if settings.groups is None and setting.world == World(devices=EXHAUSTIVE):
        if policy.orders is None or setting.use_case in policy.orders:
            yield Part(setting, contestant, Depth.ORDERS, scope)
        if policy.power is None or (setting.use_case == TOGETHER and _is_at_an_end(contestant)):
            cuts = attrs.evolve(scope, groups=frozenset({POWER}), sample=_at_most(policy, Depth.POWER))
            yield Part(setting, contestant, Depth.POWER, cuts)
    for depth, group in _CUTS.items():
        if group in (settings.groups or ()):
            yield Part(setting, contestant, depth, attrs.evolve(scope, groups=frozenset({group})))


def _is_at_an_end(contestant: Contestant) -> bool:
    return (contestant.profile is Profile.HARDENED) is (contestant.manager is Manager.CAREFUL)


def _sampled(policy: Policy) -> dict[Depth, int]:
    """Return how many cases are sampled in all of each depth of which not all are judged."""
    totals = {
        Depth.ODD: policy.odd,
        Depth.OTHERS: policy.others,
        Depth.WORLDS: policy.worlds,
        Depth.VARIANTS: policy.variants,
        Depth.POWER: policy.power,
    }
    return {depth: total for depth, total in totals.items() if total is not None}


def _at_most(policy: Policy, depth: Depth) -> int | None:
    """Return how many cases of one setting can be sampled; None where all are judged."""
    total = _sampled(policy).get(depth)
    return total if total is None or depth is Depth.ODD else min(total, policy.most)


def allot(policy: Policy, parts: list[Part]) -> None:
    """Share the numbers of cases that may be sampled among the parts, now that they are surveyed."""
    for depth, total in _sampled(policy).items():
        sampled = [part for part in parts if part.depth is depth and part.scope.sample is not None]
        surveyed = [(part, part.surveyed) for part in sampled if part.surveyed]
        if not surveyed:
            continue
        most = _at_most(policy, depth) or 0
        allotted = shares(total, most, [survey.choice for _, survey in surveyed])
        for (part, survey), share in zip(surveyed, allotted, strict=True):
            lowest = islice(survey.lots.items(), max(1, share))
            part.drawn = tuple(sorted((rank, name) for name, rank in lowest))
    _allot_pairs(policy, parts)


def _allot_pairs(policy: Policy, parts: list[Part]) -> None:
    """Say how many pairs are to be drawn, none where all are judged: while the single faults are judged."""
    paired = {part.setting for part in parts if part.depth is Depth.PAIRS}
    limit = 0 if policy.pairs is None else min(policy.most, policy.pairs // max(1, len(paired)) + 1)
    for part in parts:
        if part.setting in paired:
            part.scope = attrs.evolve(part.scope, pairs=limit)


def meet_pairs(parts: list[Part], drawn: Mapping[str, Lots]) -> None:
    """Tell the parts of pairs how many there are and, where not all are judged, which were drawn."""
    for part in parts:
        if part.depth is not Depth.PAIRS or part.surveyed is None:
            continue
        lots = drawn.get(str(part.setting), Lots())
        part.surveyed = attrs.evolve(part.surveyed, groups={PAIR: lots.count}, choice=lots.count)
        if lots.limit:
            pairs = [parse_fault(case_id.rpartition("/")[2]) for _, case_id in lots.lowest]
            part.drawn = tuple(enumerate(map(str, sorted(pairs, key=_place_of_pair))))


def _place_of_pair(pair: Fault) -> list[tuple[int, str]]:
    """Return what pairs are ordered by: where the first strikes, then where the second does."""
    return [(fault.number, str(fault)) for fault in pair.host_faults]
