"""What is to be compared: from the arguments to the lab's settings.

A name that nobody has is refused with the nearest one that somebody has; images are opened here, so that
an unusable one is known before anything runs.
"""

import difflib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import click

from blockops.commands.profile import Profile
from blockops.lab.compare import Settings
from blockops.lab.faults import GROUPS
from blockops.lab.given import open_given
from blockops.lab.plan import chosen
from blockops.lab.qemu.process import demand_programs
from blockops.management.contestant import Manager
from blockops.management.use_cases import USE_CASES
from proposals.catalogue import everybody
from proposals.claims.page import CLAIMS
from proposals.cli.exits import Unusable
from proposals.scenarios.wild import SCENARIOS


class Whole(click.IntRange):
    """A whole number within bounds, with one sentence for whatever else is given."""

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> int:
        try:
            return int(super().convert(value, parameter, context))
        except click.BadParameter:
            upper = "on" if self.max is None else f"to {self.max}"
            self.fail(f"'{value}' is not a whole number from {self.min} {upper}", parameter, context)


class Folder(click.Path):
    """The name of a folder, there or not; an empty name is none."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Any:
        if value == "":
            self.fail("the name of the folder is empty", parameter, context)
        return super().convert(value, parameter, context)


Checked = Callable[[click.Context, click.Parameter, tuple[str, ...]], tuple[str, ...]]


def _known(what: str, names: Callable[[], Sequence[str]], listing: str | None = None) -> Checked:
    """Return an option's callback that refuses what is none of *names*; `blockops list` may list them."""

    def check(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
        known = names() if values else ()
        for value in values:
            if value not in known:
                problem = f"no {what} is called '{value}'; {_advice(value, known, listing)}"
                raise click.BadParameter(problem, context, option)
        return values

    return check


def _advice(value: str, known: Sequence[str], listing: str | None) -> str:
    folded = {name.lower(): name for name in known}  # so that 'f3' is nearer to 'F3' than to 'P3'
    if near := difflib.get_close_matches(value.lower(), folded, n=1, cutoff=0.5):
        return f"did you mean '{folded[near[0]]}'?"
    return f"there are {' and '.join(known)}" if listing is None else f"'blockops list {listing}' names all"


def _kinds() -> list[str]:
    return list(dict.fromkeys(scenario.kind for scenario in SCENARIOS.values()))


def _contestant_names() -> list[str]:
    return [*dict.fromkeys(one.entry.id for one in everybody()), *(one.id for one in everybody())]


known_contestants = _known("contestant", _contestant_names, "contestants")
known_use_cases = _known("use case", lambda: list(USE_CASES), "use-cases")
known_faults = _known("fault", lambda: list(GROUPS), "faults")
known_scenarios = _known("scenario", lambda: [*SCENARIOS, *_kinds()], "scenarios")
known_claims = _known("claim", lambda: list(CLAIMS), "claims")
known_profiles = _known("profile", lambda: [profile.value for profile in Profile])
known_managers = _known("manager", lambda: [manager.value for manager in Manager])


def made(asked: Mapping[str, Any]) -> Settings:
    """Return the settings that the arguments of `compare` ask for.

    Raises Unusable where they contradict each other, BlockError where an image cannot be used.
    """
    images = asked["images"]
    if images and asked["devices"] not in (None, len(images)):
        raise Unusable(f"{len(images)} images make {len(images)} devices, not {asked['devices']}")
    settings = Settings(
        devices=asked["devices"],
        use_cases=asked["use_cases"],
        contestants=asked["contestants"],
        profiles=asked["profiles"],
        managers=asked["managers"],
        faults=asked["faults"],
        images=open_given(images),
        jobs=asked["jobs"] or 0,
        seed=asked["seed"],
        complete=asked["full"],
        scenarios=asked["scenarios"],
    )
    settings = _as_in_scenarios(settings)
    asked_for = [one for one in everybody() if chosen(settings, one)]
    if not asked_for:
        raise Unusable("no contestant is of every kind that was asked for (blockops list contestants)")
    demand_programs(asked_for)
    # A drawn world meets faults of every kind.
    return attrs.evolve(settings, examples=0) if settings.faults else settings


def _as_in_scenarios(settings: Settings) -> Settings:
    """Return *settings* with the use cases and faults of their scenarios, where none were asked for.

    A class of failures stands for all scenarios of it.
    """
    asked = [one for one in SCENARIOS.values() if {one.id, one.kind}.intersection(settings.scenarios)]
    if not asked:
        return settings
    use_cases = settings.use_cases or tuple(dict.fromkeys(one.use_case for one in asked))
    faults = settings.faults or tuple(dict.fromkeys(fault for one in asked for fault in one.faults))
    names = tuple(one.id for one in asked)
    return attrs.evolve(settings, use_cases=use_cases, faults=faults, scenarios=names)


def is_narrow(settings: Settings) -> bool:
    """Whether *settings* leave out contestants, use cases or faults, or say what the devices are."""
    only = (settings.contestants, settings.profiles, settings.managers, settings.use_cases, settings.faults)
    return any((*only, settings.images, settings.devices))
