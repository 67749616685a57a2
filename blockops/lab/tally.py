"""Counting verdicts.  Tallies of parts of a setting add up to the same whole in any order."""

import attrs

from blockops.lab.faults.fault import Fault
from blockops.lab.judging import Judged
from blockops.lab.results import Verdict
from blockops.lab.sampling import Lots


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

    *points* are the host operations that were broken, *groups* counts cases by group of faults, *lasting*
    the violations of a law in cases whose fault goes on; *pairs* has drawn those pairs of faults whose
    first was among the cases.
    """

    cases: int = 0
    masked: int = 0
    equal: int = 0
    verdicts: dict[tuple[str, Verdict], int] = attrs.field(factory=dict)
    violations: dict[tuple[str, str], Broken] = attrs.field(factory=dict)
    broken: list[str] = attrs.field(factory=list)
    groups: dict[str, int] = attrs.field(factory=dict)
    points: set[int] = attrs.field(factory=set)
    lasting: dict[str, int] = attrs.field(factory=dict)
    pairs: Lots = attrs.field(factory=Lots)

    def count(self, judged: Judged, fault: Fault, rank: int) -> None:
        """Take in one case, the *rank*-th of its setting, broken by *fault*."""
        self.cases += 1
        self.groups[fault.group] = self.groups.get(fault.group, 0) + 1
        self.points.update([fault.armed_from] if fault.armed_from else [])
        self.masked += not judged.struck
        self.equal += judged.equal
        self.broken.extend(judged.broken[: MAX_BROKEN - len(self.broken)])
        for law, judgement in judged.judgements.items():
            key = (law, judgement.verdict)
            self.verdicts[key] = self.verdicts.get(key, 0) + 1
            if judgement.verdict is Verdict.VIOLATED:
                self.lasting[law] = self.lasting.get(law, 0) + fault.lasts
                self._violation((law, judgement.key), Broken(rank, judged.case, judgement.sentence))

    def add(self, other: "Tally") -> None:
        """Take in another tally of the same setting."""
        self.cases += other.cases
        self.masked += other.masked
        self.equal += other.equal
        self.points |= other.points
        for law, number in other.lasting.items():
            self.lasting[law] = self.lasting.get(law, 0) + number
        self.pairs.add(other.pairs)
        for group, number in other.groups.items():
            self.groups[group] = self.groups.get(group, 0) + number
        self.broken = sorted({*self.broken, *other.broken})[:MAX_BROKEN]
        for key, number in other.verdicts.items():
            self.verdicts[key] = self.verdicts.get(key, 0) + number
        for sort, broken in other.violations.items():
            self._violation(sort, attrs.evolve(broken))

    def _violation(self, sort: tuple[str, str], broken: Broken) -> None:
        if sort in self.violations:
            self.violations[sort].add(broken)
        else:
            self.violations[sort] = broken


MAX_BROKEN = 20
"""How many broken invariants are kept by their sentences: one is already too many."""
