"""Counting verdicts.  Tallies of parts of a setting add up to the same whole in any order.

What a law or the oracle of a scenario says of one case is counted at once, but for *recoverable*: what it
says of a case in which some choice was right depends on all cases that look the same (`views`), and is
counted when all are in.
"""

from typing import TypeVar

import attrs

from blockops.lab.crossing import Crossing
from blockops.lab.evidence import Crossroads
from blockops.lab.faults.fault import Fault
from blockops.lab.judging import Judged
from blockops.lab.laws.judgement import Judgement
from blockops.lab.laws.recovery import INHERENT, MISSED, RECOVERABLE
from blockops.lab.results import Verdict
from blockops.lab.sampling import Lots
from blockops.lab.scenario import SCENARIOS
from blockops.lab.views import Alike, Views

K = TypeVar("K")


@attrs.define
class Broken:
    """One sort of violation: how often, and its smallest case (the first in the order of the list)."""

    rank: int
    case: str
    sentence: str
    count: int = 1

    def add(self, other: "Broken") -> None:
        """Take the other's cases in."""
        count = self.count + other.count
        if other.rank < self.rank:
            self.rank, self.case, self.sentence = other.rank, other.case, other.sentence
        self.count = count


@attrs.define
class Tally:
    """Verdicts per law, violations per law and sort, what of the core broke, how many cases of what.

    *scenes* has verdicts per scenario, and *suffered* what its violations are.
    *points* are the host operations that were broken, *groups* counts cases by group of faults; so do
    *masked* those whose fault struck and left nothing visible, *unmet* those whose fault met nothing.
    *lasting* counts the violations of a law in cases whose fault struck more than once; *pairs* has drawn
    those pairs of faults whose first was among the cases; *pruned* orders were left out, being equivalent,
    *crossing* says with what the others can be crossed; *orders* are those under which faults struck; *views*
    are the cases that are not among the verdicts yet.
    """

    cases: int = 0
    masked: dict[str, int] = attrs.field(factory=dict)
    unmet: dict[str, int] = attrs.field(factory=dict)
    equal: int = 0
    verdicts: dict[tuple[str, Verdict], int] = attrs.field(factory=dict)
    violations: dict[tuple[str, str], Broken] = attrs.field(factory=dict)
    scenes: dict[tuple[str, Verdict], int] = attrs.field(factory=dict)
    suffered: dict[str, Broken] = attrs.field(factory=dict)
    broken: list[str] = attrs.field(factory=list)
    groups: dict[str, int] = attrs.field(factory=dict)
    points: set[int] = attrs.field(factory=set)
    lasting: dict[str, int] = attrs.field(factory=dict)
    pairs: Lots = attrs.field(factory=Lots)
    pruned: int = 0
    crossing: Crossing = attrs.field(factory=Crossing)
    orders: set[str] = attrs.field(factory=set)
    views: Views = attrs.field(factory=Views)

    def count(self, judged: Judged, fault: Fault, rank: int) -> None:
        """Take in one case, the *rank*-th of its setting, broken by *fault*."""
        self.cases += 1
        _add(self.groups, fault.group)
        if not judged.struck:
            _add(self.unmet, fault.group)
        elif judged.masked:
            _add(self.masked, fault.group)
        self.points.update([fault.armed_from] if fault.armed_from else [])
        self.equal += judged.equal
        self.broken.extend(judged.broken[: MAX_BROKEN - len(self.broken)])
        for law, judgement in judged.judgements.items():
            if law == RECOVERABLE and judged.crossroads is not None and _open(judgement, judged.crossroads):
                wrong = judgement.sentence if judgement.verdict is Verdict.VIOLATED else None
                self.views.note(judged.crossroads, rank, judged.case, wrong)
                continue
            self._verdict(law, judgement.verdict)
            if judgement.verdict is Verdict.VIOLATED:
                _add(self.lasting, law, judged.lasted(fault))
                _note(self.violations, (law, judgement.key), Broken(rank, judged.case, judgement.sentence))
        for scenario, judgement in judged.seen.items():
            if SCENARIOS[scenario].meets(fault):
                self._see(scenario, judgement, Broken(rank, judged.case, judgement.sentence))

    def _see(self, scenario: str, judgement: Judgement, broken: Broken) -> None:
        key = scenario, judgement.verdict
        self.scenes[key] = self.scenes.get(key, 0) + 1
        if judgement.verdict is Verdict.VIOLATED:
            _note(self.suffered, scenario, broken)

    def add(self, other: "Tally") -> None:
        """Take in another tally of the same setting."""
        self.cases += other.cases
        self.equal += other.equal
        self.pruned += other.pruned
        self.points |= other.points
        self.orders |= other.orders
        self.crossing.add(other.crossing)
        for name in ("lasting", "groups", "masked", "unmet"):
            for key, number in getattr(other, name).items():
                _add(getattr(self, name), key, number)
        self.pairs.add(other.pairs)
        self.broken = sorted({*self.broken, *other.broken})[:MAX_BROKEN]
        self.views.add(other.views)
        for (law, verdict), number in other.verdicts.items():
            self._verdict(law, verdict, number)
        for sort, broken in other.violations.items():
            _note(self.violations, sort, attrs.evolve(broken))
        for key, number in other.scenes.items():
            self.scenes[key] = self.scenes.get(key, 0) + number
        for scenario, broken in other.suffered.items():
            _note(self.suffered, scenario, attrs.evolve(broken))

    def settled(self) -> "Tally":
        """Return the tally of all that is in, with every case among the verdicts."""
        found = Tally()
        found.add(attrs.evolve(self, views=Views()))
        for alike, why in self.views.decided():
            found._settle(alike, why)
        return found

    def _settle(self, alike: Alike, why: str | None) -> None:
        self._verdict(RECOVERABLE, Verdict.HELD if why is None else Verdict.VIOLATED, alike.held)
        self._verdict(RECOVERABLE, Verdict.VIOLATED, alike.missed)
        if why is not None:
            broken = Broken(alike.rank, alike.case, why, alike.held + alike.missed)
            _note(self.violations, (RECOVERABLE, INHERENT), broken)
        elif alike.missed:
            broken = Broken(alike.missed_rank, alike.missed_case, alike.sentence, alike.missed)
            _note(self.violations, (RECOVERABLE, MISSED), broken)

    def _verdict(self, law: str, verdict: Verdict, number: int = 1) -> None:
        if number:
            self.verdicts[law, verdict] = self.verdicts.get((law, verdict), 0) + number


def _add(counts: dict[str, int], key: str, number: int = 1) -> None:
    counts[key] = counts.get(key, 0) + number


def _note(found: dict[K, Broken], key: K, broken: Broken) -> None:
    if key in found:
        found[key].add(broken)
    else:
        found[key] = broken


def _open(judgement: Judgement, crossroads: Crossroads) -> bool:
    """Whether the other cases that look the same have a say in it.

    Not where a program ended well although no image that was there held it all, by a mirror back or a new
    overlay: it has shown that one can be right.
    """
    return (judgement.verdict is Verdict.HELD and crossroads.passable) or judgement.key == MISSED


MAX_BROKEN = 20
"""How many broken invariants are kept by their sentences: one is already too many."""
