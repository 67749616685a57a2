"""As-posted against hardened, naive against careful: whose doing a broken law is.

For each design and law that broke anywhere, four tallies, and a reading of them.  What still breaks when
hardened and carefully managed is "not removed by us" and no more than that: to call it inherent takes two
histories with equal replies, notes and disk that need different answers, and no count shows such a pair.
"""

import enum
from collections.abc import Iterable, Sequence

import attrs

from blockops.lab.results import Cell
from blockops.report.tally import Mark, Tally, tally


class Reading(enum.Enum):
    """What the four tallies of a law say about who breaks it."""

    IMPLEMENTATION = "the implementation’s: mended by hardening, under either manager"
    MANAGEMENT = "management’s: a careful manager avoids it, a naive one does not"
    CAREFUL = "the careful manager’s: a naive one does not break it"
    REMAINS = "remains: not removed by us"
    ADDED = "hardening’s own: it does not break as posted"
    ONE_PROFILE = "one profile only: design and implementation are not told apart"
    OPEN = "open: the law was not judged hardened, under the careful manager"


@attrs.frozen
class Contrast:
    """One broken law of a design: its tallies by (profile, manager), and their reading."""

    law: str
    tallies: dict[tuple[str, str], Tally]
    reading: Reading

    @property
    def worse(self) -> str:
        """Where the careful manager breaks the law in a larger share of cases than the naive one does."""
        profiles = dict.fromkeys(profile for profile, _ in self.tallies)
        where = [profile for profile in profiles if self._is_worse(profile)]
        if not where:
            return ""
        both = " and ".join(where) if len(profiles) > 1 else ""
        return f"the careful manager makes it worse{', ' if both else ''}{both}"

    def _is_worse(self, profile: str) -> bool:
        careful, naive = (self.tallies.get((profile, manager), Tally()) for manager in ("careful", "naive"))
        return careful.violated * naive.judged > naive.violated * careful.judged


def contrasts(cells: Sequence[Cell], laws: Sequence[str]) -> tuple[Contrast, ...]:
    """Return a contrast for each of *laws* that one design's *cells* show broken anywhere."""
    found = (_contrast([cell for cell in cells if cell.law == law], law) for law in laws)
    return tuple(contrast for contrast in found if _broken(contrast.tallies.values()))


def _contrast(cells: Sequence[Cell], law: str) -> Contrast:
    keys = dict.fromkeys((cell.profile, cell.manager) for cell in cells)
    tallies = {key: tally(cell for cell in cells if (cell.profile, cell.manager) == key) for key in keys}
    return Contrast(law=law, tallies=tallies, reading=_reading(tallies))


def _reading(tallies: dict[tuple[str, str], Tally]) -> Reading:
    marks = {key: counts.mark for key, counts in tallies.items()}
    posted = [mark for (profile, _), mark in marks.items() if profile != "hardened"]
    hardened = [mark for (profile, _), mark in marks.items() if profile == "hardened"]
    if not posted or not hardened:
        return Reading.ONE_PROFILE
    careful = marks.get(("hardened", "careful"), Mark.NOT_EXERCISED)
    naive = marks.get(("hardened", "naive"), Mark.NOT_EXERCISED)
    if Mark.VIOLATED in hardened and Mark.VIOLATED not in posted:
        return Reading.ADDED
    if careful is Mark.VIOLATED:
        return Reading.CAREFUL if naive is Mark.HELD else Reading.REMAINS
    if careful is not Mark.HELD:
        return Reading.OPEN
    return Reading.MANAGEMENT if Mark.VIOLATED in hardened else Reading.IMPLEMENTATION


def _broken(tallies: Iterable[Tally]) -> bool:
    return any(counts.violated for counts in tallies)
