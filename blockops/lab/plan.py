"""What a comparison is to do: the parts that its settings select."""

from collections.abc import Iterator

import attrs

from blockops.commands.profile import Profile
from blockops.lab.allotting import at_most
from blockops.lab.cache import Cache
from blockops.lab.faults.host import PAIR
from blockops.lab.faults.power import LYING, POWER
from blockops.lab.parts import Depth, Part, Scope, Setting
from blockops.lab.policy import TOGETHER
from blockops.lab.settings import Settings
from blockops.lab.world import VOLUMES, World
from blockops.management.contestant import Contestant, Inexpressible, Manager
from blockops.management.use_cases import USE_CASES, UseCase

FURTHER_WORLDS: tuple[World, ...] = (
    World(devices=2, depth=1, base_format="raw"),
    World(devices=2, cache=Cache.WRITETHROUGH),
    World(devices=2, cache=Cache.UNSAFE),
)
"""Worlds other than the standard one in which every use case that has their number of devices is run, too.

A use case whose new images can lie on fixed volumes is run on those as well.
"""


_CUTS = {Depth.POWER: POWER, Depth.LYING: LYING}


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
        if not contestant.entry.real or _is_for_real(part)
    ]


def chosen(settings: Settings, contestant: Contestant) -> bool:
    """Whether the settings ask for this contestant: a real QEMU only where it is named."""
    names = settings.contestants
    return (
        (contestant.entry.id in names or contestant.id in names if names else not contestant.entry.real)
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
        sample = at_most(policy, Depth.VARIANTS)
        yield Part(setting, contestant, depth, attrs.evolve(scope, variants=False))
        yield Part(setting, contestant, Depth.VARIANTS, attrs.evolve(scope, variants=True, sample=sample))
    elif single is None or single:
        yield Part(setting, contestant, depth, attrs.evolve(scope, sample=at_most(policy, depth)))
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
            yield from _orders(settings, contestant, setting)
        if policy.power is None or (setting.use_case == TOGETHER and _is_at_an_end(contestant)):
            cuts = attrs.evolve(scope, groups=frozenset({POWER}), sample=at_most(policy, Depth.POWER))
            yield Part(setting, contestant, Depth.POWER, cuts)
    cut = settings.groups is None or POWER in settings.groups
    if cut and setting.use_case in policy.again and setting.world == World(devices=EXHAUSTIVE):
        yield Part(setting, contestant, Depth.AGAIN, attrs.evolve(scope, groups=frozenset({POWER})))
    for depth, group in _CUTS.items():
        if group in (settings.groups or ()):
            yield Part(setting, contestant, depth, attrs.evolve(scope, groups=frozenset({group})))


def _orders(settings: Settings, contestant: Contestant, setting: Setting) -> Iterator[Part]:
    """Yield the orders of a setting, and those crossed with faults."""
    policy, use_case = settings.policy, setting.use_case
    scope = Scope(
        frozenset(),
        inner=True,
        seed=settings.seed,
        departures=2 if use_case in policy.deeper else 1,
        hosts=use_case in policy.hosts,
        whole=policy.crossed is None,
    )
    yield Part(setting, contestant, Depth.ORDERS, scope)
    if use_case in policy.crossing:
        yield Part(setting, contestant, Depth.CROSSED, scope)


def _is_for_real(part: Part) -> bool:
    """Whether it can be asked of a real QEMU: one fault at most, in the standard world."""
    single = not part.depth.alone and part.depth is not Depth.PAIRS
    return single and part.setting.world.standard


def _is_at_an_end(contestant: Contestant) -> bool:
    return (contestant.profile is Profile.HARDENED) is (contestant.manager is Manager.CAREFUL)
