"""What a comparison is to do: its settings, and the parts that they select.

A part is one contestant with one use case in one world; it is either inexpressible, with the reason, or
has a space of faults that is surveyed and then judged slice by slice (`work`).
"""

import os
from collections.abc import Iterator

import attrs

from blockops.lab.tally import Tally
from blockops.lab.world import World
from blockops.management.contestant import Contestant, Inexpressible
from blockops.management.use_cases import USE_CASES, UseCase


@attrs.frozen
class Settings:
    """What to compare.  Empty tuples mean all; *devices* replaces each use case's own device counts.

    *images*: real images (absolute path, format) that stand below d0, d1, … and are never written.
    *complete*: break every host operation with three devices and more, too.
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

    @property
    def workers(self) -> int:
        """The number of worker processes: as asked, or one a core."""
        return self.jobs or len(os.sched_getaffinity(0))

    @property
    def groups(self) -> frozenset[str] | None:
        """The fault groups asked for, None for all."""
        return frozenset(self.faults) or None


@attrs.frozen
class Setting:
    """A contestant with a use case in a world, by names: what crosses to a worker."""

    contestant: str
    use_case: str
    world: World


@attrs.define
class Part:
    """One setting on its way: its space once surveyed, its tally so far, or why it cannot be asked."""

    setting: Setting
    contestant: Contestant
    inexpressible: str | None = None
    surveyed: "Survey | None" = None
    tally: Tally = attrs.field(factory=Tally)


@attrs.frozen
class Survey:
    """The size of a setting's space: faults, host operations broken and in all, kills, deaths, kinds."""

    faults: int
    points: int
    all_points: int
    kills: int
    deaths: int
    kinds: tuple[str, ...]


def parts_of(settings: Settings, contestants: tuple[Contestant, ...]) -> list[Part]:
    """Return what is to be compared, in the order in which it is reported."""
    return [
        _part(contestant, use_case, world)
        for contestant in contestants
        if chosen(settings, contestant)
        for use_case in USE_CASES.values()
        if not settings.use_cases or use_case.id in settings.use_cases
        for world in _worlds(settings, use_case.device_counts)
    ]


def chosen(settings: Settings, contestant: Contestant) -> bool:
    """Whether the settings ask for this contestant."""
    return (
        (not settings.contestants or contestant.entry.id in settings.contestants)
        and (not settings.profiles or contestant.profile.value in settings.profiles)
        and (not settings.managers or contestant.manager.value in settings.managers)
    )


def _worlds(settings: Settings, counts: tuple[int, ...]) -> Iterator[World]:
    if settings.images:
        yield World(devices=len(settings.images), given=settings.images)
    elif settings.devices is not None:
        yield World(devices=settings.devices)
    else:
        yield from (World(devices=count) for count in counts)


def _part(contestant: Contestant, use_case: UseCase, world: World) -> Part:
    program = contestant.program(use_case.id)
    reason = program.reason if isinstance(program, Inexpressible) else None
    return Part(Setting(contestant.id, use_case.id, world), contestant, reason)
