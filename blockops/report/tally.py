"""How many cases went which way, and what sign that earns.

A tally adds up cells.  Its mark is the worst that its counts contain: one violation marks it violated,
and only what was held at least once, and never violated, is marked held; a law that no case exercised is
not held.
"""

import enum
from collections.abc import Iterable

import attrs

from blockops.lab.results import Cell


class Mark(enum.Enum):
    """What a field of the matrix shows: an identifier, a symbol that needs no colour, and a word."""

    HELD = ("held", "✓", "held")
    VIOLATED = ("violated", "✕", "violated")
    UNKNOWN = ("unknown", "?", "unknown")
    NOT_EXERCISED = ("not-exercised", "·", "not exercised")
    INEXPRESSIBLE = ("inexpressible", "∅", "inexpressible")

    def __init__(self, key: str, symbol: str, word: str) -> None:
        self.key = key
        self.symbol = symbol
        self.word = word


@attrs.frozen
class Tally:
    """Counts of cases by verdict.

    *reasons* say why cells that were added up are inexpressible; *asked*: at least one is not.
    *lasting*: how many of the violated ones were under a fault that struck more than once.
    """

    held: int = 0
    violated: int = 0
    unknown: int = 0
    not_exercised: int = 0
    reasons: tuple[str, ...] = ()
    asked: bool = False
    lasting: int = 0

    @property
    def judged(self) -> int:
        """How many cases the law had something to say about."""
        return self.held + self.violated + self.unknown

    @property
    def cases(self) -> int:
        return self.judged + self.not_exercised

    @property
    def mark(self) -> Mark:
        if self.violated:
            return Mark.VIOLATED
        if self.held:
            return Mark.HELD
        if self.unknown:
            return Mark.UNKNOWN
        return Mark.INEXPRESSIBLE if self.reasons and not self.asked else Mark.NOT_EXERCISED

    @property
    def share(self) -> str:
        """The counts in the fewest characters: "31/912", "912", "∅" or "·"."""
        match self.mark:
            case Mark.VIOLATED:
                return f"{self.violated:,}/{self.judged:,}"
            case Mark.HELD:
                return f"{self.held:,}"
            case Mark.UNKNOWN:
                return f"{self.unknown:,}"
            case Mark.NOT_EXERCISED | Mark.INEXPRESSIBLE:
                return ""

    @property
    def words(self) -> str:
        """The counts in words, for a tooltip or somebody who does not see colours."""
        if self.mark is Mark.INEXPRESSIBLE:
            return "inexpressible: " + "; ".join(self.reasons)
        counts = {
            "violated": self.violated,
            "held": self.held,
            "unknown": self.unknown,
            "not exercised": self.not_exercised,
        }
        return ", ".join(f"{number:,} {word}" for word, number in counts.items() if number) or "no cases"


def counted(number: int, noun: str) -> str:
    """Return *number* with *noun*, which takes an s in the plural: "1 case", "1,200 cases"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def tally(cells: Iterable[Cell]) -> Tally:
    """Return the sum of *cells*; equal reasons are named once, in the order in which they came."""
    held = violated = unknown = not_exercised = lasting = 0
    reasons: dict[str, None] = {}
    asked = False
    for cell in cells:
        held += cell.held
        violated += cell.violated
        unknown += cell.unknown
        not_exercised += cell.not_exercised
        lasting += cell.lasting
        if cell.inexpressible is not None:
            reasons[cell.inexpressible] = None
        else:
            asked = True
    return Tally(held, violated, unknown, not_exercised, tuple(reasons), asked, lasting)
