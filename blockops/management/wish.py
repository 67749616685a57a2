"""What management wants, in no proposal's words: a use case, and the images that each disk is to have.

Paths are absolute.  A file that a wish names but that is not `old` does not exist when management begins.
"""

import attrs


@attrs.frozen
class ImageRef:
    """An image by its path, and the format that it is to be opened in."""

    path: str
    format: str


@attrs.frozen
class DiskWish:
    """One disk: what it shows before, and the names that the files of a use case are to have.

    *overlay* is a new image over *old*.  On the destination of a migration *target_base* is a copy of
    *old*, and *target* the new leaf over that copy.
    """

    device: str
    old: ImageRef
    overlay: str
    target_base: str
    target: str


@attrs.frozen
class Wish:
    """A use case (an id of `use_cases.USE_CASES`) for some disks, in the order in which they are served."""

    use_case: str
    disks: tuple[DiskWish, ...]
