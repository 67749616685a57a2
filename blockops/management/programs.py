"""What management programs of several contestants share, each piece only where it is really the same.

Here: which images the disks move between, the work on images that either manager does alike, and the
naive manager's own.  The careful manager's pieces are in `careful`, what a new management
process does in `recovery`.
"""

from collections.abc import Sequence

import attrs

from blockops.graph.formats import NewImage
from blockops.management.contestant import Program
from blockops.management.desk import Desk, NoAnswer, Refused
from blockops.management.use_cases import LEAF_FORMAT
from blockops.management.wish import DiskWish, Goal, ImageRef, Wish
from blockops.steps import Steps


@attrs.frozen
class Move:
    """A device goes from one image to another, whose header is to name *backing*."""

    device: str
    old: ImageRef
    new: ImageRef
    backing: str


def onto_overlays(wish: Wish) -> list[Move]:
    """Return the moves of a snapshot, of a switch to prepared overlays, of a snapshot beside a mirror."""
    return [Move(d.device, d.old, overlay(d), d.old.path) for d in wish.disks]


def onto_targets(wish: Wish) -> list[Move]:
    """Return the moves that end a migration."""
    return [Move(d.device, overlay(d), target(d), d.target_base) for d in wish.disks]


def overlay(disk: DiskWish) -> ImageRef:
    """Return the new image over the old one."""
    return ImageRef(disk.overlay, LEAF_FORMAT)


def target(disk: DiskWish) -> ImageRef:
    """Return the leaf on the destination."""
    return ImageRef(disk.target, LEAF_FORMAT)


def target_base(disk: DiskWish) -> ImageRef:
    """Return the copy of the old image on the destination."""
    return ImageRef(disk.target_base, disk.old.format)


def destination_files(wish: Wish) -> list[str]:
    """Return every file that a migration makes on the destination."""
    return [path for disk in wish.disks for path in (disk.target, disk.target_base)]


def mirror_files(wish: Wish) -> list[str]:
    """Return the targets of the mirrors that are wanted."""
    return [disk.target for disk in wish.only(Goal.MIRROR).disks]


# ----------------------------------------------------------------------------- images, either manager


def make_overlays(desk: Desk, wish: Wish) -> Steps[None]:
    """Create each disk's overlay over its old image (`qemu-img create -b`)."""
    for disk in wish.disks:
        yield from _make_leaf(desk, disk, disk.overlay, disk.old.path)


def make_targets(desk: Desk, wish: Wish) -> Steps[None]:
    """Create each disk's leaf on the destination, over a base that is copied there later.

    Made now and not by the snapshot or the mirror, which would record the source's base (semantics,
    section 4).
    """
    for disk in wish.disks:
        yield from _make_leaf(desk, disk, disk.target, disk.target_base)


def make_mirror_targets(desk: Desk, wish: Wish) -> Steps[None]:
    """Create the target of each disk that is to be mirrored, over the disk's old image.

    Made now and not by the mirror where that comes after a snapshot, whose overlay it would record
    (semantics, section 3).
    """
    for disk in wish.only(Goal.MIRROR).disks:
        yield from _make_leaf(desk, disk, disk.target, disk.old.path)


def _make_leaf(desk: Desk, disk: DiskWish, path: str, backing: str) -> Steps[None]:
    old = yield from desk.inspect(disk.old.path, disk.old.format)
    new = NewImage(path, LEAF_FORMAT, old.size, backing, disk.old.format, old.cluster_size)
    yield from desk.create_image(new)


def copy_bases(desk: Desk, wish: Wish) -> Steps[None]:
    """Copy each disk's old image, which nobody writes to any more, to the destination."""
    for disk in wish.disks:
        yield from desk.copy(disk.old, target_base(disk))


def delete_sources(desk: Desk, wish: Wish) -> Steps[None]:
    """Delete what a migration leaves behind on the source storage."""
    for disk in wish.disks:
        yield from desk.delete(disk.overlay)
        yield from desk.delete(disk.old.path)


def delete_if_there(desk: Desk, path: str) -> Steps[None]:
    """Delete a file, if it exists (`rm -f`)."""
    if (yield from desk.exists(path)):
        yield from desk.delete(path)


# --------------------------------------------------------------------------------------------- naive


def configure_new(desk: Desk, moves: Sequence[Move]) -> Steps[None]:
    """Let the machine start on the new images from now on."""
    yield from desk.configure({move.device: move.new for move in moves})


def repeated(program: Program) -> Program:
    """Return the program that sends the same again, once, after an error reply or none."""

    def retry(desk: Desk, wish: Wish) -> Steps[None]:
        try:
            yield from program(desk, wish)
        except (Refused, NoAnswer):
            yield from program(desk, wish)

    return retry
