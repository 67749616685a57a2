"""What was tried, in numbers that add up: the coverage box.

Two sorts of numbers: where nothing was sampled, how many cases of each sort of fault were judged, of how
many; where cases were sampled, how many in all, by what the settings have in common.  Of a run that was
stopped, what it had planned is said beside what it judged.
"""

from collections.abc import Iterable, Sequence

import attrs

from blockops.lab.faults import FAMILIES
from blockops.lab.faults.host import PAIR
from blockops.lab.faults.kinds import Kind
from blockops.lab.results import Coverage, Results
from blockops.report.case import place_of
from blockops.report.extents import extents
from blockops.report.fates import Fate, together
from blockops.report.merging import DEVICES, WORLDS, devices_of, respect, worlds_of
from blockops.report.tally import Tally, counted, tally

_PAIRS = "pairs of host faults, the second on the way that the first made the case take"

_VARIANTS = (
    "variants: host faults until they are cleared, or lasting ones that do more or less than return an errno "
    "before the effect; second deaths of management; the guest at another pace"
)

_ORDERS = "interleavings, of equivalent ones one"

_CROSSED = "interleavings of one departure crossed with a fault: a crash, a second attempt, the host"

_CUTS = "power cuts, each with a state that no earlier one left with equal promises"

_LYING = "the same where the storage had lied about every flush (P7)"

_AGAIN = "second power cuts, of the recovery from a first, each with a state new for its promises"

CROSSED = "crossed"

_NOUNS = {"pairs": _PAIRS, "variants": _VARIANTS, CROSSED: _CROSSED, "power": _CUTS, "lying": _LYING}
"""What cases of a sort of faults are called where the name of the sort does not say it all."""

_ORDER = {DEVICES: 0, WORLDS: 1}

_OF_OPERATIONS = frozenset(kind.value for kind in Kind)


ONE_INSTANT = "one-instant"

STRADDLED = (
    f"cases count for {ONE_INSTANT}: the operation took effect on two devices or more, and a dependency "
    "of the guest's writes straddled that moment"
)


@attrs.frozen
class Share:
    """How much of *what* was judged: *judged* *of* so many; *left* were planned, and not come to."""

    what: str
    judged: int
    of: int
    left: int = 0

    @property
    def numbers(self) -> str:
        """How many of how many; pairs are counted only when the run comes to them."""
        return f"{self.judged:,} of {self.of:,}" if self.of else "none yet"

    @property
    def planned(self) -> str:
        """What was planned, where that is more than was judged of a sample."""
        return f"; {self.judged + self.left:,} were planned" if self.left and self.of else ""

    def why(self, seed: int) -> str:
        """Say why that is not all: some was drawn, or of power cuts not all states were even looked at."""
        if self.judged == self.of and self.of:
            return "truncated: at some instants there were more states than were looked at"
        return f"sampled with seed {seed}{self.planned}"

    @property
    def words(self) -> str:
        return f"{self.numbers} {'' if self.of else 'of '}{self.what}"


@attrs.frozen
class Totals:
    """Sums over all settings, and those of them that were not covered to the end.

    Where nothing was sampled: *points* are the host operations that failed, *kinds* the ways in which they
    did, *shares* the cases by sort of fault.  *samples* are the cases elsewhere.  *extents* say in a sentence
    each how many orders there were, with faults and without, and how many states after power cuts.  *grey*
    settings were sampled or truncated, *truncated* ones were stopped before what was planned for them,
    *uncounted* ones before their cases were known; nothing is summed up then, for there was no plan.  Pairs
    of faults count as settings of their own.  *fate* is what became of all faults.  *stopped* says in a
    sentence how far a run came that was stopped, empty for others; *exhausted* are the numbers of devices
    where nothing was sampled.
    """

    contestants: int
    use_cases: int
    settings: int
    inexpressible: int
    grey: tuple[Coverage, ...]
    truncated: tuple[Coverage, ...]
    uncounted: int
    stopped: str
    exhausted: str
    cases: int
    equal: int
    points: Share
    kinds: tuple[str, ...]
    shares: tuple[Share, ...]
    samples: tuple[Share, ...]
    extents: tuple[str, ...]
    judgements: int
    fate: Fate
    by_law: dict[str, Tally]

    @property
    def executed(self) -> str:
        """How many of the cases were run, and how many answered from an equal one."""
        ran = self.cases - self.equal
        return f"{ran:,} of them run, {self.equal:,} equal to one of those and judged with it"

    @property
    def finished(self) -> int:
        """Settings whose whole space was covered."""
        return self.settings - len(self.grey) - self.uncounted

    @property
    def sampled(self) -> int:
        """Settings that were sampled as far as it was planned."""
        return len(self.grey) - len(self.truncated)

    @property
    def glance(self) -> tuple[str, ...]:
        """What to know first, in a few words each: how much was judged, what of it to the last case."""
        whole, drawn = _added(self.shares), _added(self.samples)
        but = ", but for variants" if self._samples_variants else ""
        return (
            f"{counted(self.cases, 'case')} judged by {counted(len(self.by_law), 'law')}",
            *([f"exhaustive with {self.exhausted}{but}: {whole.numbers}"] if self.shares else []),
            *([f"of all else, sampled: {drawn.numbers}"] if self.samples else []),
        )

    @property
    def _samples_variants(self) -> bool:
        return any(share.what == _VARIANTS for share in self.samples)

    @property
    def ways(self) -> str:
        """How the host operations that are counted failed."""
        how = "once, lastingly and until cleared, before the effect and after it"
        if self._samples_variants:
            how = "once or lastingly, before the effect and after it, but for the variants that are sampled"
        if self.truncated:
            return f"which failed so far, in some of {counted(len(self.kinds), 'way')}, {how}"
        if len(self.kinds) == 1:
            return f"each failing in the one way that was asked for, {how}"
        return f"each failing in all of {len(self.kinds)} ways that apply to it, {how}"

    @property
    def straddled(self) -> Share:
        """How many cases say something about one instant: the law is vacuous in all others."""
        counts = self.by_law.get(ONE_INSTANT, Tally())
        return Share(STRADDLED, counts.judged, counts.cases)


def totals(results: Results, laws: Sequence[str]) -> Totals:
    """Return the sums over *results*; *laws* are the ids of all laws, in their order."""
    run = [entry for entry in results.coverage if entry.space or entry.truncated]
    uncounted = _uncounted(results)
    summed = [] if uncounted else run
    whole = [entry for entry in summed if not entry.sampled]
    single = [entry for entry in whole if _breaks_operations(entry)]
    refused = {
        (cell.contestant, cell.profile, cell.manager, cell.use_case)
        for cell in results.cells
        if cell.inexpressible is not None
    }
    by_law = {law: tally(cell for cell in results.cells if cell.law == law) for law in laws}
    return Totals(
        contestants=len({(cell.contestant, cell.profile, cell.manager) for cell in results.cells}),
        use_cases=len({place_of(cell.use_case).use_case for cell in results.cells}),
        settings=len(run) + uncounted,
        inexpressible=len(refused),
        grey=tuple(entry for entry in run if entry.sampled or entry.truncated),
        truncated=tuple(entry for entry in run if entry.truncated),
        uncounted=uncounted,
        stopped=_stopped(run, uncounted) if results.interrupted else "",
        exhausted=devices_of(place_of(entry.use_case) for entry in whole),
        cases=sum(entry.cases for entry in run),
        equal=sum(entry.equal for entry in run),
        points=Share(
            "host operations",
            sum(entry.fault_points for entry in single),
            sum(entry.all_fault_points for entry in single),
        ),
        kinds=tuple(kind for kind in _judged_by_group(whole) if kind in _OF_OPERATIONS),
        shares=tuple(_shares(whole)),
        samples=tuple(_samples([entry for entry in summed if entry.sampled])),
        extents=tuple(extents(summed)),
        judgements=sum(counts.judged for counts in by_law.values()),
        fate=together(run),
        by_law=by_law,
    )


def _breaks_operations(entry: Coverage) -> bool:
    """Whether single host operations were made to fail one by one."""
    failed = any(portion.group in _OF_OPERATIONS for portion in entry.portions)
    return failed and not place_of(entry.use_case).faults


def _uncounted(results: Results) -> int:
    """Return how many settings that can be asked for had not been surveyed."""
    known = {(entry.contestant, entry.use_case) for entry in results.coverage}
    asked = {
        (f"{cell.contestant}.{cell.profile}.{cell.manager}", cell.use_case)
        for cell in results.cells
        if cell.inexpressible is None
    }
    return len(asked - known)


def _judged_by_group(entries: Iterable[Coverage]) -> dict[str, Share]:
    """Add up the portions of *entries*, in the order in which the groups come up."""
    found: dict[str, Share] = {}
    for portion in (portion for entry in entries for portion in entry.portions):
        before = found.get(portion.group, Share(portion.group, 0, 0))
        found[portion.group] = Share(portion.group, before.judged + portion.judged, before.of + portion.of)
    return found


def _shares(entries: Sequence[Coverage]) -> Iterable[Share]:
    """Add the groups up to what people count: those of a family that has a noun to one number."""
    nouns = {group: family.noun for family in FAMILIES for group in family.groups if family.noun}
    nouns |= {PAIR: _PAIRS, "order": _ORDERS, "power": _CUTS, "lying": _LYING, "power-again": _AGAIN}
    crossed = [entry for entry in entries if entry.crossed is not None]
    found: dict[str, Share] = {}
    for group, share in _judged_by_group(entry for entry in entries if entry.crossed is None).items():
        what = nouns.get(group, f"of {group}")
        before = found.get(what, Share(what, 0, 0))
        found[what] = Share(what, before.judged + share.judged, before.of + share.of)
    return [*found.values(), *([_sum(_CROSSED, crossed)] if crossed else [])]


def _samples(entries: Sequence[Coverage]) -> Iterable[Share]:
    """Yield how much was judged with other numbers of devices, in further worlds, of each sort of faults."""
    found: dict[str, list[Coverage]] = {}
    for entry in entries:
        found.setdefault(respect(place_of(entry.use_case)), []).append(entry)
    for why, own in sorted(found.items(), key=lambda item: _ORDER.get(item[0], len(_ORDER))):
        yield _sum(_what(why, own), own)


def _what(why: str, entries: Sequence[Coverage]) -> str:
    """Name the cases of *entries*, which differ from the first places in the same respect."""
    places = [place_of(entry.use_case) for entry in entries]
    if why == DEVICES:
        return f"cases with {devices_of(places)}"
    if why == WORLDS:
        return f"cases in {worlds_of(places)}"
    return _NOUNS.get(why, f"cases, {why}")


def _sum(what: str, entries: Sequence[Coverage]) -> Share:
    return Share(
        what,
        sum(entry.cases for entry in entries),
        sum(entry.space for entry in entries),
        sum(entry.left for entry in entries),
    )


def _added(shares: Sequence[Share]) -> Share:
    return Share("cases", sum(share.judged for share in shares), sum(share.of for share in shares))


def _stopped(run: Sequence[Coverage], uncounted: int) -> str:
    """Say how far a run came: before cases are judged, those of all settings are counted."""
    judged, left = sum(entry.cases for entry in run), sum(entry.left for entry in run)
    if uncounted:
        return (
            f"This run was stopped while it still counted what there is to judge, in {len(run):,} of "
            f"{len(run) + uncounted:,} settings by then; {counted(judged, 'case')} judged."
        )
    if left:
        most = "at most " if any(entry.left and not entry.space for entry in run) else ""
        return (
            f"This run was stopped after {judged:,} of {most}{counted(judged + left, 'planned case')}; "
            "every count is of what had been judged by then."
        )
    return f"This run was stopped after its {counted(judged, 'case')}, and before all that follows them."
