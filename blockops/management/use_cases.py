"""The use cases: for each disk, what counts as old and as new, which files are owed, which may remain.

All of it is data that the laws read.  Every overlay and every target leaf is qcow2 (so was libvirt's and
oVirt's), whatever the format of the image below.
"""

from collections.abc import Callable, Mapping

import attrs

from blockops.management.wish import DiskWish, Wish

LEAF_FORMAT = "qcow2"


@attrs.frozen
class OwedFile:
    """An image file with its intended format and, where it is to have one, its intended backing."""

    path: str
    format: str
    backing: str | None = None
    backing_format: str | None = None


@attrs.frozen
class Expectation:
    """What is to hold for one disk.

    The device shows one of *old_tops* as long as the use case has no effect, one of *new_tops* after it.
    On success *owed* files are there and *removed* ones are gone.  After an error the files of
    *may_remain_after_error* may be there: management made them, or a device may rest on them.
    """

    old_tops: tuple[str, ...]
    new_tops: tuple[str, ...]
    owed: tuple[OwedFile, ...] = ()
    removed: tuple[str, ...] = ()
    may_remain_after_error: tuple[OwedFile, ...] = ()


@attrs.frozen
class UseCase:
    """What management wants.  *device_counts* are the numbers of disks that a comparison uses by default."""

    id: str
    wants: str
    device_counts: tuple[int, ...]
    expectation: Callable[[DiskWish], Expectation]

    def wish(self, disks: tuple[DiskWish, ...]) -> Wish:
        """Return this use case as a wish for *disks*."""
        return Wish(self.id, disks)


def overlay_of(disk: DiskWish) -> OwedFile:
    """Return the overlay as it is to be: over the old image."""
    return OwedFile(disk.overlay, LEAF_FORMAT, disk.old.path, disk.old.format)


def target_of(disk: DiskWish) -> OwedFile:
    """Return the destination's leaf as it is to be: over the copy of the old image."""
    return OwedFile(disk.target, LEAF_FORMAT, disk.target_base, disk.old.format)


def target_base_of(disk: DiskWish) -> OwedFile:
    """Return the copy of the old image as it is to be: whole, with no backing."""
    return OwedFile(disk.target_base, disk.old.format)


def _snapshot(disk: DiskWish) -> Expectation:
    return Expectation(
        old_tops=(disk.old.path,),
        new_tops=(disk.overlay,),
        owed=(overlay_of(disk),),
    )


def _switch(disk: DiskWish) -> Expectation:
    """As a snapshot, but management made the image beforehand, and after an error it may keep it."""
    return attrs.evolve(_snapshot(disk), may_remain_after_error=(overlay_of(disk),))


def _migrate(disk: DiskWish) -> Expectation:
    """Old is any image on the source storage: the overlay there loses nothing (semantics, section 2)."""
    return Expectation(
        old_tops=(disk.old.path, disk.overlay),
        new_tops=(disk.target,),
        owed=(target_of(disk), target_base_of(disk)),
        removed=(disk.overlay, disk.old.path),
        may_remain_after_error=(overlay_of(disk),),
    )


def _give_up(disk: DiskWish) -> Expectation:
    return Expectation(old_tops=(disk.old.path,), new_tops=(disk.old.path,))


_TABLE = (
    UseCase("group-snapshot", "new overlays on all disks, one instant", (2, 3), _snapshot),
    UseCase(
        "migrate-one",
        "live storage migration of one disk: snapshot and mirror, copy the base, switch, delete the source",
        (1,),
        _migrate,
    ),
    UseCase(
        "migrate-many",
        "live storage migration of all disks of a machine, one instant",
        (2,),
        _migrate,
    ),
    UseCase("switch-many", "all disks onto images that management has prepared", (2,), _switch),
    UseCase(
        "give-up",
        "abandon a group snapshot after its first command that touches a disk: as if never begun",
        (2,),
        _give_up,
    ),
    UseCase(
        "retry",
        "the same group snapshot again after a failed or unknown first attempt",
        (2,),
        _snapshot,
    ),
)

USE_CASES: Mapping[str, UseCase] = {use_case.id: use_case for use_case in _TABLE}
"""All use cases by id, in the order in which a report shows them."""
