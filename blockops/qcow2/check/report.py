"""What a check says: findings, counted apart as corruptions and leaks, and the verdict they add up to.

A corruption can lose or has lost data; a leak only wastes space: clusters that are counted but that
nothing uses.  An image that cannot be judged, because its header is unreadable or it uses a feature
that is not supported here, is neither.
"""

import enum
from typing import Final

import attrs

from blockops.qcow2.header import Header

# So many corruptions end a check, so many leaks its listing: a report stays smaller than a hostile image.
MOST_FINDINGS: Final = 65536


class Verdict(enum.Enum):
    """The classes that `qemu-img check` tells apart by its exit code."""

    CLEAN = "clean"
    LEAKS = "leaks"
    CORRUPT = "corrupt"
    UNCHECKABLE = "uncheckable"


@attrs.frozen
class Finding:
    """One thing wrong: in which *structure*, at which byte of the file, the value found, what is wrong."""

    structure: str
    offset: int | None
    value: int | None
    problem: str

    @property
    def message(self) -> str:
        """The finding as one sentence."""
        where = "" if self.offset is None else f" at {self.offset:#x}"
        value = "" if self.value is None else f" ({self.value:#x})"
        return f"{self.structure}{where}{value}: {self.problem}"

    def __str__(self) -> str:
        return self.message


@attrs.frozen
class CheckReport:
    """The result of a check.

    *allocated_clusters* counts guest clusters with a place in the file, *total_clusters* all guest
    clusters, *image_end_offset* is the end in bytes of the last cluster in use.  *header* is None where
    it was unreadable or *unsupported* names the feature that forbids to judge the image.
    """

    corruptions: tuple[Finding, ...] = ()
    leaks: tuple[Finding, ...] = ()
    allocated_clusters: int = 0
    total_clusters: int = 0
    image_end_offset: int = 0
    header: Header | None = None
    unsupported: str | None = None

    @property
    def verdict(self) -> Verdict:
        """The class of this result, the worst that applies."""
        if self.header is None:
            return Verdict.UNCHECKABLE
        if self.corruptions:
            return Verdict.CORRUPT
        return Verdict.LEAKS if self.leaks else Verdict.CLEAN


class Enough(Exception):
    """Ends a check whose verdict cannot change any more."""


class Findings:
    """The corruptions found so far."""

    __slots__ = ("listed",)

    def __init__(self) -> None:
        self.listed: list[Finding] = []

    def add(self, structure: str, offset: int | None, value: int | None, problem: str) -> None:
        """Note a corruption; raise `Enough` where there are too many to go on."""
        self.listed.append(Finding(structure, offset, value, problem))
        if len(self.listed) >= MOST_FINDINGS:
            self.stop("too many corruptions to list")

    def stop(self, problem: str) -> None:
        """Note why the check ends here, and raise `Enough`."""
        self.listed.append(Finding("image", None, None, f"{problem}; the check ends here"))
        raise Enough
