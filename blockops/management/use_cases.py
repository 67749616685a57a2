"""The use cases: for each disk, what counts as old and as new, which files are owed, which may remain.

All of it is data that the laws read.  Every overlay and every target leaf is qcow2 (so was libvirt's and
oVirt's), whatever the format of the image below.
"""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

import attrs

from blockops.management.wish import DiskWish, Goal, Wish

LEAF_FORMAT = "qcow2"

SEVERAL = (2, 1, 3, 4, 5, 6, 7, 8)
"""The numbers of disks of a use case that is for any number."""


@attrs.frozen
class OwedFile:
    """An image file with its intended format and, where it is to have one, its intended backing.

    *layered_freely*: what it rests on is left to the design.
    """

    path: str
    format: str
    backing: str | None = None
    backing_format: str | None = None
    layered_freely: bool = False


@attrs.frozen
class Expectation:
    """What is to hold for one disk.

    The device shows one of *old_tops* as long as the use case has no effect, one of *new_tops* after it.
    Where *mirrored_onto* names an image, a device is new only while its writes go there as well, and old
    only while they go nowhere else.
    On success *owed* files are there and *removed* ones are gone.  After an error the files of
    *may_remain_after_error* may be there: management made them, or a device may rest on them.
    """

    old_tops: tuple[str, ...]
    new_tops: tuple[str, ...]
    owed: tuple[OwedFile, ...] = ()
    removed: tuple[str, ...] = ()
    may_remain_after_error: tuple[OwedFile, ...] = ()
    mirrored_onto: str | None = None


@attrs.frozen
class UseCase:
    """What management wants.

    *device_counts* are the numbers of disks that a comparison uses by default; of these the first is the use
    case's own, with which it is tried most thoroughly.
    *goals* gives the first disks theirs; any further ones have the last.  *membership*: it is about devices
    that come or go midway, and about nothing else that may break.
    """

    id: str
    wants: str
    device_counts: tuple[int, ...]
    goals: tuple[Goal, ...]
    membership: bool = False

    def wish(self, disks: tuple[DiskWish, ...]) -> Wish:
        """Return this use case as a wish for *disks*."""
        last = len(self.goals) - 1
        each = (attrs.evolve(disk, goal=self.goals[min(n, last)]) for n, disk in enumerate(disks))
        return Wish(self.id, tuple(each))

    def expectations(self, disks: tuple[DiskWish, ...]) -> tuple[Expectation, ...]:
        """Return what is to hold for each of *disks*."""
        return tuple(_EXPECTED[disk.goal](disk) for disk in self.wish(disks).disks)


def overlay_of(disk: DiskWish) -> OwedFile:
    """Return the overlay as it is to be: over the old image."""
    return OwedFile(disk.overlay, LEAF_FORMAT, disk.old.path, disk.old.format)


def target_of(disk: DiskWish) -> OwedFile:
    """Return the destination's leaf as it is to be: over the copy of the old image."""
    return OwedFile(disk.target, LEAF_FORMAT, disk.target_base, disk.old.format)


def target_base_of(disk: DiskWish) -> OwedFile:
    """Return the copy of the old image as it is to be: whole, with no backing."""
    return OwedFile(disk.target_base, disk.old.format)


def mirror_of(disk: DiskWish) -> OwedFile:
    """Return the second image as it is to be: it reads as the device does, whatever it rests on."""
    return OwedFile(disk.target, LEAF_FORMAT, layered_freely=True)


def _snapshot(disk: DiskWish) -> Expectation:
    return Expectation(
        old_tops=(disk.old.path,),
        new_tops=(disk.overlay,),
        owed=(overlay_of(disk),),
    )


def _prepared(disk: DiskWish) -> Expectation:
    """As a snapshot, but management made the image beforehand, and after an error it may keep it."""
    return attrs.evolve(_snapshot(disk), may_remain_after_error=(overlay_of(disk),))


def _mirror(disk: DiskWish) -> Expectation:
    """On its own storage the device may go on in a new overlay, which loses nothing (as in a migration)."""
    return Expectation(
        old_tops=(disk.old.path, disk.overlay),
        new_tops=(disk.old.path, disk.overlay),
        owed=(mirror_of(disk),),
        may_remain_after_error=(overlay_of(disk),),
        mirrored_onto=disk.target,
    )


def _move(disk: DiskWish) -> Expectation:
    """Old is any image on the source storage: the overlay there loses nothing (semantics, section 2)."""
    return Expectation(
        old_tops=(disk.old.path, disk.overlay),
        new_tops=(disk.target,),
        owed=(target_of(disk), target_base_of(disk)),
        removed=(disk.overlay, disk.old.path),
        may_remain_after_error=(overlay_of(disk),),
    )


def _stay(disk: DiskWish) -> Expectation:
    return Expectation(old_tops=(disk.old.path,), new_tops=(disk.old.path,))


_EXPECTED: Mapping[Goal, Callable[[DiskWish], Expectation]] = {
    Goal.SNAPSHOT: _snapshot,
    Goal.PREPARED: _prepared,
    Goal.MIRROR: _mirror,
    Goal.MOVE: _move,
    Goal.STAY: _stay,
}

_TABLE = (
    UseCase("group-snapshot", "new overlays on all disks, one instant", SEVERAL, (Goal.SNAPSHOT,)),
    UseCase(
        "migrate-one",
        "live storage migration of one disk: snapshot and mirror, copy the base, switch, delete the source",
        (1,),
        (Goal.MOVE,),
    ),
    UseCase(
        "migrate-many",
        "live storage migration of all disks of a machine, one instant",
        SEVERAL,
        (Goal.MOVE,),
    ),
    UseCase("mirror-many", "mirrors of all disks, from one instant", SEVERAL, (Goal.MIRROR,)),
    UseCase("switch-many", "all disks onto images that management has prepared", SEVERAL, (Goal.PREPARED,)),
    UseCase(
        "mixed",
        "a snapshot of the first disk, a mirror of the second, the third onto a prepared image, "
        "snapshots of all others: one instant",
        (3, 4, 5, 6, 7, 8),
        (Goal.SNAPSHOT, Goal.MIRROR, Goal.PREPARED, Goal.SNAPSHOT),
    ),
    UseCase(
        "give-up",
        "abandon a group snapshot after its first command that touches a disk: as if never begun",
        SEVERAL,
        (Goal.STAY,),
    ),
    UseCase(
        "retry",
        "the same group snapshot again after a failed or unknown first attempt",
        SEVERAL,
        (Goal.SNAPSHOT,),
    ),
    UseCase(
        "membership",
        "a group snapshot while a disk is unplugged, or one is added, midway",
        (3,),
        (Goal.SNAPSHOT,),
        membership=True,
    ),
)

_KNOWN = {use_case.id: use_case for use_case in _TABLE}

USE_CASES: Mapping[str, UseCase] = MappingProxyType(_KNOWN)
"""All use cases by id, in the order in which a report shows them."""


def register(use_case: UseCase) -> None:
    """Add a use case of somebody else's; ValueError where its id is taken or cannot stand in a case id."""
    if use_case.id in _KNOWN:
        raise ValueError(f"there is a use case '{use_case.id}' already")
    if not fit_for_a_case_id(use_case.id):
        raise ValueError(f"'{use_case.id}' cannot stand in a case id")
    _KNOWN[use_case.id] = use_case


def fit_for_a_case_id(name: str) -> bool:
    """Whether *name* is lower-case words joined by dashes, as the names in case ids are."""
    return re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name) is not None
