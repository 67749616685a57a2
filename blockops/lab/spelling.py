"""A world in words, so that a case id can carry it: what differs from the standard world, and nothing else.

    2~size=4096,before=0,schedule=0.1,volumes=target.target_base
    2~tiny,after=4                                                   what differs from `tiny` instead

Two devices, and by their names the fields of `World` and of its `Workload`; the values of a list are parted
by dots.  What is read must be a small world, for anybody may write one by hand.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import attrs

from blockops.errors import InvalidRequest
from blockops.lab.cache import Cache
from blockops.lab.world import VOLUMES, Workload, World
from blockops.units import KIB, SECTOR

Values: TypeAlias = Mapping[str, Any]
"""What a word may be, by itself, with the value that it stands for."""

_KNOWN: Mapping[str, Values] = {
    "size": {str(size): size for size in range(SECTOR, 256 * KIB + 1, SECTOR)},
    "cluster_size": {str(SECTOR << bits): SECTOR << bits for bits in range(13)},
    "depth": {str(depth): depth for depth in range(5)},
    "base_format": {name: name for name in ("qcow2", "raw")},
    "cache": {cache.value: cache for cache in Cache},
    **{name: {str(number): number for number in range(33)} for name in ("before", "after", "discard_every")},
    **{name: {str(number): number for number in range(1, 33)} for name in ("sectors", "flush_every")},
    "in_flight": {str(number): number for number in range(1, 9)},
    "record": {str(length): length for length in range(1, SECTOR + 1)},
    "shift": {str(length): length for length in range(SECTOR)},
}
_LISTS: Mapping[str, Values] = {
    "schedule": {str(steps): steps for steps in range(10)},
    "volumes": {role: role for roles in VOLUMES.values() for role in roles},
}
MOST = 8
"""How many values a list may have."""


TINY = "tiny"


def tiny(devices: int) -> World:
    """Return the smallest world of so many devices that is drawn: what a search shrinks to, if it can."""
    return World(devices, size=8 * SECTOR, cluster_size=SECTOR, schedule=(1,), workload=_IDLE)


_IDLE = Workload(
    before=0, after=2, sectors=1, flush_every=1, record=64, in_flight=1, shift=0, discard_every=0
)


def is_spelled(words: str) -> bool:
    """Whether what stands behind the devices of a case spells a world, so that it is no digest."""
    return words.partition(",")[0] == TINY or "=" in words


def spelled(world: World) -> str:
    """Return *world* as a case id has it, in few words; it must stand on no images that were given."""
    assert not world.given, "the names of given images are no words of a case id"
    usual = list(_differences(world, World(devices=world.devices)))
    small = [TINY, *_differences(world, tiny(world.devices))]
    words = ",".join(small if len(small) < len(usual) else usual)
    return f"{world.devices}~{words}" if words else f"{world.devices}"


def _differences(world: World, other: World) -> Iterator[str]:
    for here, there in ((world, other), (world.workload, other.workload)):
        for field in attrs.fields(type(here)):
            value = getattr(here, field.name)
            if field.name in {*_KNOWN, *_LISTS} and value != getattr(there, field.name):
                yield f"{field.name}={_word(value)}"


def _word(value: object) -> str:
    match value:
        case tuple():
            return ".".join(map(str, value))
        case Cache():
            return value.value
        case _:
            return str(value)


def world_spelled(words: str, devices: int, complain: Callable[[str], InvalidRequest]) -> World:
    """Return the world of so many devices that *words* tell from another.

    Raises what *complain* makes of a sentence about the first word that is none.
    """
    first, comma, rest = words.partition(",")
    if first == TINY:
        start, differences = tiny(devices), rest.split(",") if comma else []
    else:
        start, differences = World(devices=devices), words.split(",")
    found: dict[str, Any] = {}
    for word in differences:
        name, equals, value = word.partition("=")
        if not equals or name not in {*_KNOWN, *_LISTS} or name in found:
            raise complain(f"'{word}' says nothing of a world, or says it twice")
        found[name] = _value(name, value)
        if found[name] is None:
            raise complain(f"'{value}' is no {name} that a world may have here")
    workload = {field.name: found.pop(field.name) for field in attrs.fields(Workload) if field.name in found}
    return attrs.evolve(start, workload=attrs.evolve(start.workload, **workload), **found)


def _value(name: str, text: str) -> Any:
    """Return the value of a field, None where it can have no such value."""
    if name in _KNOWN:
        return _KNOWN[name].get(text)
    values = [_LISTS[name].get(word) for word in text.split(".")]
    return tuple(values) if None not in values and len(values) <= MOST and any(values) else None
