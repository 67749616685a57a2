"""The works that are measured: what is done, by whom, and which share of the raw file's speed is wanted.

A work's goal for itself is a share of the limit, which is the raw file's speed in the same round; its goal
for a peer is how many times that peer's speed.
"""

from collections.abc import Callable, Mapping

import attrs

from blockops.graph.formats import NewImage
from blockops.units import KIB, MIB
from proposals.bench import ours, peers, raw
from proposals.bench.peers import IO_URING, THREADS
from proposals.bench.site import CLUSTER, Site, leap, strided

_BLOCK = 4 * KIB

Measure = Callable[[Site], float | None]
"""Does a work once and returns the seconds that it took; None where that cannot be done here."""


@attrs.frozen
class Goal:
    """At least so many times as fast as *than*."""

    than: str
    times: float


LIMIT = "raw"


@attrs.frozen
class Work:
    """One row: *beside* has the peers by name, *shapes* the images that it needs; some have no limit."""

    name: str
    shapes: tuple[str, ...]
    limit: Measure | None
    ours: Measure
    beside: Mapping[str, Measure]
    goals: tuple[Goal, ...]


def _qemu(how: str) -> str:
    return f"qemu-img bench, {how}"


def reading(name: str, shape: str, length: int, *goals: Goal) -> Work:
    """Return the work that reads an image, all of it from end to end or blocks here and there."""
    scattered = length == _BLOCK

    def offsets(site: Site) -> tuple[list[int], int]:
        size = site.length_of(shape)
        step = leap(size, length) if scattered else length
        return strided(size, min(20_000, size // length), step), step

    def limit(site: Site) -> float:
        return raw.reads(site.name("raw"), offsets(site)[0], length)

    def own(site: Site) -> float:
        return ours.reads(site, site.name(shape), offsets(site)[0], length)

    def peer(how: str) -> Measure:
        def measured(site: Site) -> float | None:
            found, step = offsets(site)
            return peers.reads(site.name(shape), how, len(found), length, step)

        return measured

    beside = {_qemu(how): peer(how) for how in (THREADS, IO_URING)}
    return Work(name, ("raw", shape), limit, own, beside, goals)


def writing(name: str, length: int, step: int | None, *goals: Goal) -> Work:
    """Return the work that writes a new image: end to end or, with a *step*, at one place of each cluster."""

    def offsets(site: Site) -> tuple[list[int], int]:
        wide = leap(site.size, CLUSTER) if step else length
        return strided(site.size, min(8_000, site.size // (step or length)), wide), wide

    def new(site: Site) -> NewImage:
        return NewImage(site.name("new"), "qcow2", site.size)

    def limit(site: Site) -> float:
        return raw.writes(site.name("new"), offsets(site)[0], b"w" * length)

    def own(site: Site) -> float:
        return ours.writes(site, new(site), offsets(site)[0], b"w" * length)

    def peer(how: str) -> Measure:
        def measured(site: Site) -> float | None:
            found, wide = offsets(site)
            return peers.writes(site, new(site), how, len(found), length, wide)

        return measured

    return Work(name, (), limit, own, {_qemu(how): peer(how) for how in (THREADS, IO_URING)}, goals)


def copying(name: str, *goals: Goal) -> Work:
    """Return the work that writes 4 KiB to one cluster after another of an overlay, for the first time."""

    def offsets(site: Site) -> tuple[list[int], int]:
        step = leap(site.size, CLUSTER)
        return strided(site.size, min(8_000, site.size // CLUSTER), step), step

    def new(site: Site) -> NewImage:
        return NewImage(site.name("new"), "qcow2", site.size, site.name("whole"), "qcow2")

    def limit(site: Site) -> float:
        return raw.copies(site.name("raw"), site.name("new"), offsets(site)[0])

    def own(site: Site) -> float:
        return ours.writes(site, new(site), offsets(site)[0], b"w" * _BLOCK)

    def peer(how: str) -> Measure:
        def measured(site: Site) -> float | None:
            found, step = offsets(site)
            return peers.writes(site, new(site), how, len(found), _BLOCK, step)

        return measured

    beside = {_qemu(how): peer(how) for how in (THREADS, IO_URING)}
    return Work(name, ("raw", "whole"), limit, own, beside, goals)


def opening(name: str, depth: int, *goals: Goal) -> Work:
    """Return the work that opens a chain, reads a little and closes it."""
    shape = f"chain-{depth}"

    def limit(site: Site) -> float:
        return raw.opens(site.name("raw"), depth)

    def own(site: Site) -> float:
        return ours.opens(site, site.name(shape))

    return Work(name, ("raw", shape), limit, own, {}, goals)


_OVERLAYS = 100


def creating(name: str, *goals: Goal) -> Work:
    """Return the work that creates overlays."""

    def names(site: Site) -> list[str]:
        return [site.name(f"created-{number}") for number in range(_OVERLAYS)]

    def limit(site: Site) -> float:
        seconds = raw.creates(names(site))
        _remove_created(site)
        return seconds

    def own(site: Site) -> float:
        base = site.name("whole")
        news = [NewImage(one, "qcow2", site.size, base, "qcow2") for one in names(site)]
        seconds = ours.creates(site, news)
        _remove_created(site)
        return seconds

    def peer(site: Site) -> float | None:
        few = names(site)[:10]
        seconds = peers.creates(site.name("whole"), few)
        _remove_created(site)
        return None if seconds is None else seconds * _OVERLAYS / len(few)

    return Work(name, ("whole",), limit, own, {"qemu-img create": peer}, goals)


def _remove_created(site: Site) -> None:
    for path in site.path.glob("created-*"):
        path.unlink()


_THREADS, _IO_URING = _qemu(THREADS), _qemu(IO_URING)

WORKS: tuple[Work, ...] = (
    reading(
        "sequential read, 2 MiB", "whole", 2 * MIB, Goal(LIMIT, 0.9), Goal(_THREADS, 1), Goal(_IO_URING, 1)
    ),
    reading("sequential read, 2 MiB, fragmented", "scattered", 2 * MIB, Goal(LIMIT, 0.5), Goal(_IO_URING, 1)),
    reading("sequential read, 2 MiB, chain of 4", "chain-4", 2 * MIB, Goal(LIMIT, 0.5), Goal(_IO_URING, 1)),
    reading("random read, 4 KiB", "whole", _BLOCK, Goal(LIMIT, 0.55), Goal(_IO_URING, 2)),
    reading("random read, 4 KiB, chain of 4", "chain-4", _BLOCK, Goal(LIMIT, 0.4), Goal(_IO_URING, 2)),
    reading("random read, 4 KiB, chain of 64", "chain-64", _BLOCK, Goal(LIMIT, 0.3), Goal(_IO_URING, 8)),
    writing(
        "allocating write, 64 KiB", 64 * KIB, None, Goal(LIMIT, 0.8), Goal(_THREADS, 1), Goal(_IO_URING, 1)
    ),
    writing(
        "allocating write, 2 MiB", 2 * MIB, None, Goal(LIMIT, 0.85), Goal(_THREADS, 1), Goal(_IO_URING, 1)
    ),
    writing("random allocating write, 4 KiB", _BLOCK, CLUSTER, Goal(LIMIT, 0.55)),
    copying("random copy-on-write, 4 KiB", Goal(LIMIT, 0.8), Goal(_THREADS, 1), Goal(_IO_URING, 1)),
    opening("open, read, close, chain of 64", 64, Goal(LIMIT, 0.25)),
    creating("create an overlay, not synced", Goal(LIMIT, 1 / 1.5)),
)
