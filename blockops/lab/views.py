"""Cases that look the same to a recovering program, and whether any choice is right in all of them.

The law *recoverable* has its last word here.  A case in which some choice was right is noted by its view
(what could be seen there) and by those choices; of cases alike in both the smallest is kept, with counts.
Notes of parts of a setting add up to the same whole in any order.  When all are in, the choices of each
view are intersected: with nothing in common, no program could be right in all of these cases, and two of
them are the argument.  (Where no choice was right in a case alone, that case is its own argument, and it
condemns no other.)
"""

from collections.abc import Iterator

import attrs

from blockops.lab.evidence import Crossroads

Images = tuple[tuple[str, ...], ...]


@attrs.define
class Alike:
    """Cases of one view in which the same choices were right, *old* and *new* for each device.

    *held* and *missed* count those that went well and ill; *rank* and *case* are the smallest of all,
    *missed_rank*, *missed_case* and *sentence* the smallest that went ill.
    """

    old: Images
    new: Images
    rank: int
    case: str
    held: int = 0
    missed: int = 0
    missed_rank: int = 0
    missed_case: str = ""
    sentence: str = ""

    def add(self, other: "Alike") -> None:
        """Take the other's cases in."""
        if other.rank < self.rank:
            self.rank, self.case = other.rank, other.case
        if other.missed and (not self.missed or other.missed_rank < self.missed_rank):
            self.missed_rank, self.missed_case = other.missed_rank, other.missed_case
            self.sentence = other.sentence
        self.held += other.held
        self.missed += other.missed

    @property
    def crossroads(self) -> Crossroads:
        """Return where they stood."""
        return Crossroads("", tuple(map(frozenset, self.old)), tuple(map(frozenset, self.new)))


@attrs.define
class Views:
    """The cases of a setting in which something was right, by what could be seen in them."""

    seen: dict[str, list[Alike]] = attrs.field(factory=dict)

    def note(self, crossroads: Crossroads, rank: int, case: str, wrong: str | None) -> None:
        """Take in one case; *wrong* says why it went ill, if it did."""
        one = Alike(_plain(crossroads.old), _plain(crossroads.new), rank, case, held=wrong is None)
        if wrong is not None:
            one.missed, one.missed_rank, one.missed_case, one.sentence = 1, rank, case, wrong
        self._add(crossroads.view, one)

    def add(self, other: "Views") -> None:
        """Take in the cases of another part of the setting."""
        for view, alike in other.seen.items():
            for one in alike:
                self._add(view, attrs.evolve(one))

    def decided(self) -> Iterator[tuple[Alike, str | None]]:
        """Yield all cases, each with the sentence why no program could be right in it, if so."""
        for alike in self.seen.values():
            found = alike[0].crossroads
            for one in alike[1:]:
                found = found.common(one.crossroads)
            why = None if found.passable else _why(alike)
            yield from ((one, why) for one in alike)

    def _add(self, view: str, one: Alike) -> None:
        known = self.seen.setdefault(view, [])
        same = next((other for other in known if (other.old, other.new) == (one.old, one.new)), None)
        if same is None:
            known.append(one)
        else:
            same.add(one)


def _why(alike: list[Alike]) -> str:
    """Return the argument: the two smallest cases that have no right choice in common."""
    by_rank = sorted(alike, key=lambda one: one.rank)
    pairs = ((one, two) for number, two in enumerate(by_rank) for one in by_rank[:number])
    apart = (pair for pair in pairs if not pair[0].crossroads.common(pair[1].crossroads).passable)
    one, two = next(apart, (by_rank[0], by_rank[-1]))
    return f"a program sees the same in {one.case} and in {two.case}, and no choice is right in both"


def _plain(images: tuple[frozenset[str], ...]) -> Images:
    return tuple(tuple(sorted(one)) for one in images)
