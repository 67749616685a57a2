"""What management wants, in no proposal's words: a use case, and the images that each disk is to have.

Paths are absolute.  A file that a wish names but that is not `old` does not exist when management begins.
"""

import enum

import attrs


class Goal(enum.Enum):
    """What a disk is to come to."""

    SNAPSHOT = "shows a new overlay over its old image"
    PREPARED = "shows an overlay over its old image that management has made beforehand"
    MIRROR = "its writes go to a second image on the destination as well"
    MOVE = "shows the destination's leaf, and its source is gone"
    STAY = "is as it was"


@attrs.frozen
class ImageRef:
    """An image by its path, and the format that it is to be opened in."""

    path: str
    format: str


@attrs.frozen
class DiskWish:
    """One disk: what it shows before, the names that the files of a use case are to have, and its goal.

    *overlay* is a new image over *old*.  On the destination of a migration *target_base* is a copy of
    *old*, and *target* the new leaf over that copy; a mirror's *target* lies over *old* itself.
    """

    device: str
    old: ImageRef
    overlay: str
    target_base: str
    target: str
    goal: Goal = Goal.SNAPSHOT


@attrs.frozen
class Wish:
    """A use case (an id of `use_cases.USE_CASES`) for some disks, in the order in which they are served."""

    use_case: str
    disks: tuple[DiskWish, ...]

    def only(self, *goals: Goal) -> "Wish":
        """Return the part of it for the disks that have one of these goals."""
        return Wish(self.use_case, tuple(disk for disk in self.disks if disk.goal in goals))
