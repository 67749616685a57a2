"""The whole host loses its power: hypervisor and management are gone, and what was not flushed may be.

    power-P1@17                      when host operation 17, anybody's, is about to happen; of the files
                                     survives what the persistence model P1 says (`lab.power.models`)
    power-P3+s0.qcow2=1.2c512@17     … what this state's name says
    power-P0@41                      where 40 operations are all: when everything has come to rest
    power-P1@17,P2+names=none@3      … and again, before operation 3 of the program that recovers
    power-P7@17                      the storage had lied about every flush: reported apart, as "lying"

No setting lists them among its single faults unless they are named (`power.cutting`).  A world whose cache
mode is "unsafe" has neither: it promises nothing.
"""

import contextlib
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from blockops.errors import BlockError
from blockops.host.pages import Content
from blockops.lab.faults.fault import Family, Fault, HostOperation, numbered
from blockops.lab.power.journal import Journal, PowerLost
from blockops.lab.power.models import Model, NoSuchState
from blockops.lab.power.surviving import is_name, state_called
from blockops.steps import run

if TYPE_CHECKING:
    from blockops.lab.execution import Execution

POWER = "power"
LYING = "lying"


@attrs.define(eq=False)
class Cut:
    """What there was at the instant of a power cut: the surviving *files*, and what the hypervisor had."""

    files: Mapping[str, Content]
    tops: tuple[str | None, ...]
    opened: tuple[str, ...]
    fresh: list[str]


@attrs.frozen
class PowerLoss(Fault):
    """Power is lost before host operation *number*, or behind the last; the *state* so named survives."""

    state: str
    number: int
    again: tuple[str, int] | None = None

    def __str__(self) -> str:
        again = "" if self.again is None else f",{self.again[0]}@{self.again[1]}"
        return f"power-{self.state}@{self.number}{again}"

    @property
    def group(self) -> str:
        return LYING if self._lying else POWER

    @property
    def _lying(self) -> bool:
        return self.state.startswith(Model.LYING.value)

    @property
    def armed_from(self) -> int:
        return self.number

    def journal(self) -> Journal:
        return Journal(self._lying)

    def arrange(self, execution: "Execution") -> None:
        execution.clock.about_to = functools.partial(self._strike, execution)

    def relent(self, execution: "Execution") -> None:
        """Restart the host, if its power was lost or is lost now, behind the last operation."""
        clock = execution.clock
        if clock.cut is None and clock.number + 1 == self.number:
            self._cut(execution)
        if clock.cut is None:
            return
        execution.say("fault", "power is lost; what survives is ", self.state)
        execution.kill()
        execution.abandon()
        execution.evidence.lose_power(clock.cut.tops, clock.cut.opened)
        execution.disk = execution.disk.surviving(clock.cut.files)
        clock.doubled.update(dict.fromkeys(clock.cut.fresh))
        clock.journal = None
        if self.again is not None:
            self._recover(execution, *self.again)

    def _recover(self, execution: "Execution", state: str, number: int) -> None:
        """Begin to recover, and lose power again before operation *number* of that."""
        clock, case = execution.clock, execution.case
        journal = Journal(self._lying)
        clock.rearm(journal)

        def strike(operation: HostOperation) -> None:
            if operation.number == number:
                files = state_called(state, execution.disk, journal)
                execution.disk = execution.disk.surviving(files)
                raise PowerLost

        clock.about_to = strike
        with contextlib.suppress(PowerLost):
            with contextlib.suppress(BlockError):
                run(case.contestant.recover(execution.desk(), case.wish))
            raise NoSuchState(f"recovery has no operation {number}")
        clock.journal = None

    def _strike(self, execution: "Execution", operation: HostOperation) -> None:
        execution.clock.hits.append(operation)
        execution.clock.disarm()
        self._cut(execution)
        raise PowerLost

    def _cut(self, execution: "Execution") -> None:
        journal, hypervisor = execution.clock.journal, execution.hypervisor
        assert journal is not None
        assert hypervisor is not None
        files = state_called(self.state, execution.disk, journal)
        fresh = journal.fresh(execution.disk.files)
        execution.clock.cut = Cut(files, hypervisor.tops(), hypervisor.opened(), fresh)


def _parse(text: str) -> Fault | None:
    first, comma, second = text.removeprefix("power-").partition(",")
    one, again = _parse_one(first), _parse_one(second)
    if first == text or one is None or (comma and again is None):
        return None
    return PowerLoss(*one, again)


def _parse_one(text: str) -> tuple[str, int] | None:
    state, at, number = text.rpartition("@")
    found = numbered(at + number, "@")
    return None if found is None or not is_name(state) else (state, found)


FAMILY = Family(
    {
        POWER: "the whole host loses its power, and what was not flushed may be lost, torn or reordered",
        LYING: "the same where the storage had lied about every flush",
    },
    _parse,
    lambda setting, recording, chosen: iter(()),
    "power cuts",
)
