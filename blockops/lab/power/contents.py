"""What may survive of the content of one file, by the persistence model."""

from collections.abc import Iterator

import attrs

from blockops.host.pages import Content
from blockops.lab.power.journal import Resize, Unsynced, Write
from blockops.lab.power.models import NOTHING, Kept, Model, everything, subsets_of
from blockops.units import SECTOR, round_down, round_up

GARBAGE = b"stale bytes of another file. "


def kept_of(unsynced: Unsynced, model: Model) -> tuple[list[Kept], bool]:
    """Return what may survive of a file, all of it first, and whether some is left out."""
    count = len(unsynced.changes)
    match model:
        case Model.ISSUED:
            return [everything(count)], False
        case Model.SYNCED | Model.LYING:
            return [NOTHING], False
        case _:
            found, truncated = subsets_of(count)
    if model is Model.TORN:
        found += [attrs.evolve(kept, cut=cut) for kept in found for cut in _cuts(unsynced, kept)]
    elif model is Model.SIZE:
        found += [attrs.evolve(kept, tail=tail) for kept in found for tail in _tails(unsynced, kept)]
    return found, truncated


def _cuts(unsynced: Unsynced, kept: Kept) -> list[int]:
    """Return after how many bytes the last surviving write may be torn: at bounds of sectors only."""
    last = unsynced.changes[kept.numbers[-1] - 1] if kept.numbers else None
    if not isinstance(last, Write):
        return []
    start, end = last.offset, last.offset + len(last.data)
    ends = (
        round_down(start, SECTOR) + SECTOR,
        round_down((start + end) // 2, SECTOR),
        round_up(end, SECTOR) - SECTOR,
    )
    return [stop - start for stop in sorted(set(ends)) if start < stop < end]


def _tails(unsynced: Unsynced, kept: Kept) -> Iterator[str]:
    plain = survivor_of(unsynced, kept)
    zeroes = survivor_of(unsynced, attrs.evolve(kept, tail="z"))
    garbage = survivor_of(unsynced, attrs.evolve(kept, tail="g"))
    if zeroes.digest() != plain.digest():
        yield "z"
    if garbage.digest() not in (plain.digest(), zeroes.digest()):
        yield "g"


def survivor_of(unsynced: Unsynced, kept: Kept) -> Content:
    """Return the content that a file has when this survives; raises `NoSuchState` for an impossible cut."""
    content = unsynced.durable.fork()
    latest = sizes_of(unsynced)[-1] if kept.tail else 0
    if kept.tail == "g":
        _fill_with_garbage(content, unsynced, kept, latest)
    for number in kept.numbers:
        match unsynced.changes[number - 1]:
            case Write(offset, data):
                torn = kept.cut and number == kept.numbers[-1]
                content.write(offset, data[: kept.cut] if torn else data)
            case Resize(size):
                content.truncate(size)
    if latest > content.size:
        content.truncate(latest)
    return content


def _fill_with_garbage(content: Content, unsynced: Unsynced, kept: Kept, latest: int) -> None:
    """Put garbage where writes beyond the durable size did not survive: room was found for them."""
    survived, durable = set(kept.numbers), content.size
    for number, missing in enumerate(unsynced.changes, 1):
        if isinstance(missing, Write) and number not in survived:
            start, end = max(missing.offset, durable), min(missing.offset + len(missing.data), latest)
            if start < end:
                content.write(start, _garbage(start, end))


def sizes_of(unsynced: Unsynced) -> list[int]:
    """Return the size of a file as it was durable, and after each pending change."""
    sizes = [unsynced.durable.size]
    for change in unsynced.changes:
        match change:
            case Write(offset, data):
                sizes.append(max(sizes[-1], offset + len(data)))
            case Resize(size):
                sizes.append(size)
    return sizes


def _garbage(start: int, end: int) -> bytes:
    length = len(GARBAGE)
    return (GARBAGE * ((end - start) // length + 2))[start % length :][: end - start]
