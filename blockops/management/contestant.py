"""A contestant: a proposal in a profile under a manager.

The proposal brings its commands and, for each manager and use case, either a program or the reason why
none can exist.  What a design leaves to management is part of the design, so it is judged together.
"""

import enum
from collections.abc import Callable, Mapping
from typing import TypeAlias

import attrs

from blockops.commands.profile import Profile
from blockops.machine import Machine
from blockops.management.desk import Desk
from blockops.management.wish import Wish
from blockops.qmp.command import Proposal
from blockops.steps import Steps


class Manager(enum.Enum):
    """How management goes about it.

    Naive stops at the first error and writes the configuration after a success.  Careful notes durably
    what it is about to do, looks at what came of it, and undoes all that the commands allow.
    """

    NAIVE = "naive"
    CAREFUL = "careful"


Program: TypeAlias = Callable[[Desk, Wish], Steps[None]]
"""Fulfils a wish.  Returning means that management believes it succeeded, a `BlockError` that it failed."""


@attrs.frozen
class Inexpressible:
    """No fault-free sequence of the commands, with an idle guest, reaches the wanted end state."""

    reason: str


NOBODY_WROTE_IT = Inexpressible("nobody has written a program for it, so nothing is known")

_BROUGHT: dict[tuple[str, str], Mapping[Manager, Program]] = {}


def register(use_case: str, programs: Mapping[str, Mapping[Manager, Program]]) -> None:
    """Add the programs, by the design's id, that came with a use case of somebody else's."""
    _BROUGHT.update({(use_case, design): by_manager for design, by_manager in programs.items()})


@attrs.frozen
class Entry:
    """A proposal as the catalogue lists it.

    *page*: whether it is one of the wiki page's four.  *programs* has all our use cases for every manager.
    *recover* is what a new management process runs first: after the death of the one before, with its
    notes or without them, and after a crash of the hypervisor before the machine is started on what the
    configuration then names.  *real*: a real QEMU carries out its commands, and *make* is not asked.
    """

    id: str
    title: str
    author: str
    page: bool
    make: Callable[[Machine, Profile], Proposal]
    profiles: tuple[Profile, ...]
    programs: Mapping[Manager, Mapping[str, Program | Inexpressible]]
    recover: Mapping[Manager, Program]
    real: bool = False


@attrs.frozen
class Contestant:
    """An entry in one profile under one manager."""

    entry: Entry
    profile: Profile
    manager: Manager

    @property
    def id(self) -> str:
        """The name in case ids: "freeze.as-posted.careful"."""
        return f"{self.entry.id}.{self.profile.value}.{self.manager.value}"

    def program(self, use_case: str) -> Program | Inexpressible:
        """Return the program for *use_case*, or the reason why there is none."""
        known = self.entry.programs[self.manager]
        brought = _BROUGHT.get((use_case, self.entry.id), {})
        return known.get(use_case) or brought.get(self.manager) or NOBODY_WROTE_IT

    @property
    def recover(self) -> Program:
        """What a new management process runs first."""
        return self.entry.recover[self.manager]
