"""A case: one reproducible run, and the id that alone replays it.

    freeze.as-posted.careful/group-snapshot-2/eio@17
    contestant               use case, devices   fault

Where some task steps out of turn (`interleaving.order`), the order follows: `…/eio@17/g-2@31,o@40`.
A world other than the standard one is named by its digest, `group-snapshot-2~3fa9c1d0`, which a report
resolves; or it is spelled out (`spelling`), and nothing else is needed: `group-snapshot-2~size=4096`.
"""

import functools
import shlex
from collections.abc import Mapping

import attrs

from blockops.errors import InvalidRequest
from blockops.lab.faults import parse_fault
from blockops.lab.faults.fault import Fault
from blockops.lab.interleaving.order import USUAL, Order, parse_order
from blockops.lab.spelling import is_spelled, spelled, world_spelled
from blockops.lab.world import VOLUMES, World
from blockops.management.contestant import Contestant, Inexpressible
from blockops.management.use_cases import USE_CASES, Expectation, UseCase
from blockops.management.wish import Wish


@attrs.frozen
class Case:
    """Who does what in which world, what breaks, and who steps out of turn."""

    contestant: Contestant
    use_case: UseCase
    world: World
    fault: Fault
    order: Order = USUAL

    @property
    def setting(self) -> str:
        """The use case with its number of devices and, where it is not the standard one, its world."""
        return f"{self.use_case.id}-{self.world.name}"

    @property
    def id(self) -> str:
        """The printable name that alone replays the case."""
        return self._in(self.setting)

    @property
    def spelled(self) -> str:
        """The same with its world spelled out; where that stands on given images it is the id."""
        return self.id if self.world.given else self._in(f"{self.use_case.id}-{spelled(self.world)}")

    def _in(self, setting: str) -> str:
        order = f"/{self.order}" if self.order.departures else ""
        return f"{self.contestant.id}/{setting}/{self.fault}{order}"

    @functools.cached_property
    def wish(self) -> Wish:
        """What management is asked for."""
        return self.use_case.wish(self.world.disks())

    @functools.cached_property
    def expectations(self) -> tuple[Expectation, ...]:
        """What is to hold for each device."""
        return self.use_case.expectations(self.world.disks())


def replay_command(case_id: str) -> str:
    """Return the command that replays a case, quoted: some marks of faults mean something to shells."""
    return f"blockops replay {shlex.quote(case_id)}"


def parse_case(text: str, contestants: Mapping[str, Contestant], worlds: Mapping[str, World]) -> Case:
    """Return the case with this id; raises `InvalidRequest` with a sentence that names the wrong part."""
    parts = text.split("/")
    if len(parts) not in (3, 4):
        raise InvalidRequest(f"case '{text}'", "it must read CONTESTANT/USE-CASE-DEVICES/FAULT[/ORDER]")
    order = parse_order(parts[3]) if len(parts) == 4 else USUAL
    if order is None:
        raise InvalidRequest(f"case '{text}'", f"'{parts[3]}' is no order of steps, such as g-2@31,o@40")
    contestant = contestants.get(parts[0])
    if contestant is None:
        raise InvalidRequest(f"case '{text}'", f"no contestant is called '{parts[0]}'")
    use_case, world = _setting(text, parts[1], worlds)
    if isinstance(program := contestant.program(use_case.id), Inexpressible):
        raise InvalidRequest(f"case '{text}'", f"{use_case.id} is inexpressible: {program.reason}")
    try:
        return Case(contestant, use_case, world, parse_fault(parts[2]), order)
    except ValueError as error:
        raise InvalidRequest(f"case '{text}'", str(error)) from None


def named(setting: Case, case_id: str) -> Case:
    """Return the case of *setting* with this id."""
    return under(setting, case_id.split("/", 2)[2])


def under(setting: Case, name: str) -> Case:
    """Return the case of *setting* under the fault of that name and, behind a slash, the order."""
    fault, _, order = name.partition("/")
    found = parse_order(order) if order else USUAL
    assert found is not None
    return attrs.evolve(setting, fault=parse_fault(fault), order=found)


def _setting(text: str, setting: str, worlds: Mapping[str, World]) -> tuple[UseCase, World]:
    name, _, digest = setting.partition("~")
    use_case, _, devices = name.rpartition("-")
    if use_case not in USE_CASES:
        raise InvalidRequest(f"case '{text}'", f"no use case is called '{use_case}'")
    if not (devices.isascii() and devices.isdigit() and 1 <= int(devices[:9]) <= MAX_DEVICES):
        raise InvalidRequest(f"case '{text}'", f"'{devices}' is not a number of devices (1 to {MAX_DEVICES})")
    if not digest:
        return USE_CASES[use_case], World(devices=int(devices))
    if is_spelled(digest):
        return USE_CASES[use_case], _world(text, use_case, int(devices), digest)
    if digest not in worlds:
        raise InvalidRequest(f"case '{text}'", f"the world {digest} is not in the report that was searched")
    return USE_CASES[use_case], worlds[digest]


def _world(text: str, use_case: str, devices: int, words: str) -> World:
    def complain(sentence: str) -> InvalidRequest:
        return InvalidRequest(f"case '{text}'", sentence)

    world = world_spelled(words, devices, complain)
    if world.volumes not in ((), VOLUMES.get(use_case)):
        raise complain(f"in {use_case} no {', '.join(world.volumes)} can lie on a volume by itself")
    return world


MAX_DEVICES = 128
"""The most devices that a world may have."""
