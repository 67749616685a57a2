"""The results in the order in which people read them: the same for every form of the report.

Summary ─┬─ totals       what was tried, in numbers that add up
         ├─ Chapter      one design: three sentences, contrasts, its contestants and exhibits
         │    └─ Row     one contestant: its tally per law, and a Line of them for each group of places
         └─ Remainder    what was not judged to the last case, over all contestants
"""

from collections.abc import Iterator, Sequence

import attrs

from blockops.lab.results import Cell, Coverage, Design, Law, Results
from blockops.report.case import setting_of
from blockops.report.contrast import Contrast, contrasts
from blockops.report.exhibits import Exhibit, exhibits, most_telling
from blockops.report.fates import Fate, by_contestant, by_group, fates
from blockops.report.merging import Group, groups
from blockops.report.tally import Tally, counted, tally
from blockops.report.totals import Totals, totals
from blockops.report.verdict import sentences

PROFILES = ("as-posted", "hardened")
MANAGERS = ("naive", "careful")


@attrs.frozen
class Field:
    """One field of the matrix: its tally, its smallest case, and an exhibit to look at.

    A violation is exhibited once a contestant, so the exhibit may show it in another place; *apart* is the
    smallest case where the exhibit is not that one.
    """

    law: str
    tally: Tally
    smallest: str | None = None
    exhibit: Exhibit | None = None

    @property
    def apart(self) -> str | None:
        return self.smallest if self.exhibit is None or self.exhibit.case != self.smallest else None


@attrs.frozen
class Line:
    """One contestant in the places of one group: a field per law, and how far their spaces were covered."""

    group: Group
    fields: tuple[Field, ...]
    coverage: tuple[Coverage, ...]

    @property
    def name(self) -> str:
        return self.group.name

    @property
    def about(self) -> str:
        """What else to know: which places were merged, or what the coverage of the only one notes."""
        if len(self.group.places) > 1:
            return ", ".join(self.group.places)
        return "; ".join(entry.note for entry in self.coverage)

    @property
    def grey(self) -> bool:
        """Whether not every case was judged, so that what held may yet break."""
        return any(entry.sampled or entry.truncated for entry in self.coverage)

    @property
    def extent(self) -> str:
        """How many cases were judged, and of how many where that is not all."""
        if not self.coverage:
            return ""
        judged = sum(entry.cases for entry in self.coverage)
        space = sum(entry.space for entry in self.coverage)
        of = f" of {space:,}" if self.grey and space else ""
        how = ", truncated" if any(entry.truncated for entry in self.coverage) else ", sampled"
        return f"{judged:,}{of}{how if self.grey else ''}"

    @property
    def reason(self) -> str | None:
        """Why the use case is inexpressible, where no field has a case."""
        reasons = [reason for field in self.fields for reason in field.tally.reasons]
        return reasons[0] if reasons and not any(field.tally.cases for field in self.fields) else None


@attrs.frozen
class Row:
    """One contestant: over all use cases a field per law, and the use cases one by one."""

    id: str
    profile: str
    manager: str
    fields: tuple[Field, ...]
    lines: tuple[Line, ...]

    @property
    def grey(self) -> bool:
        """Whether in no use case every case was judged, or the run was stopped before what was planned."""
        judged = [line for line in self.lines if line.coverage]
        return self._truncated or (bool(judged) and all(line.grey for line in judged))

    @property
    def how(self) -> str:
        """Why it is grey, empty where it is not."""
        if not self.grey:
            return ""
        return "truncated" if self._truncated else "sampled"

    @property
    def _truncated(self) -> bool:
        return any(entry.truncated for line in self.lines for entry in line.coverage)


@attrs.frozen
class Chapter:
    """Everything about one design."""

    design: Design
    sentences: tuple[str, str, str]
    contrasts: tuple[Contrast, ...]
    rows: tuple[Row, ...]
    exhibits: tuple[Exhibit, ...]


@attrs.frozen
class Remainder:
    """Lines of one name that were not judged to the last case, added up over *contestants* of them."""

    name: str
    contestants: int
    cases: int
    space: int
    points: int
    all_points: int

    @property
    def words(self) -> str:
        """Who was judged in how many cases, on how many host operations where those were broken."""
        cases = f"{self.cases:,} of {counted(self.space, 'case')}" if self.space else "no case yet"
        points = f", on {self.points:,} of {counted(self.all_points, 'host operation')}"
        who = counted(self.contestants, "contestant")
        return f"{self.name}: {cases} of {who}{points if self.all_points else ''}"


@attrs.frozen
class Summary:
    """A whole report, before it is set in type."""

    results: Results
    laws: tuple[Law, ...]
    totals: Totals
    chapters: tuple[Chapter, ...]

    @property
    def remainders(self) -> tuple[Remainder, ...]:
        """What was not judged to the last case, by name of line."""
        return tuple(_remainders(self.chapters))

    @property
    def fates(self) -> tuple[tuple[str, tuple[Fate, ...]], ...]:
        """What became of the faults, by contestant and by group of faults, each under its heading."""
        coverage = self.results.coverage
        return (
            ("contestant", fates(coverage, by_contestant)),
            ("faults", fates(coverage, by_group)),
        )

    @property
    def exhibited(self) -> int:
        """How many cases are drawn."""
        return sum(len(chapter.exhibits) for chapter in self.chapters)

    @property
    def proposals(self) -> tuple[Chapter, ...]:
        """The page's proposals, or, where none was run, whatever was."""
        return tuple(chapter for chapter in self.chapters if chapter.design.page) or self.chapters

    @property
    def baselines(self) -> tuple[Chapter, ...]:
        return tuple(chapter for chapter in self.chapters if chapter not in self.proposals)


def summarise(results: Results, laws: Sequence[Law]) -> Summary:
    """Return *results* in reading order: the page's proposals first, exhibits numbered from 1."""
    order = [law.id for law in laws]
    shown = exhibits(results)
    return Summary(
        results=results,
        laws=tuple(laws),
        totals=totals(results, order),
        chapters=tuple(_chapter(results, design, order, shown) for design in _designs(results)),
    )


def _designs(results: Results) -> list[Design]:
    """The designs that have cells: those described first, the page's before all others."""
    judged = dict.fromkeys(cell.contestant for cell in results.cells)
    described = {design.id: design for design in results.designs}
    known = [described[name] for name in described if name in judged]
    designs = [*known, *(Design(id=name, title=name) for name in judged if name not in described)]
    return sorted(designs, key=lambda design: not design.page)


def _chapter(results: Results, design: Design, laws: list[str], shown: Sequence[Exhibit]) -> Chapter:
    cells = [cell for cell in results.cells if cell.contestant == design.id]
    return Chapter(
        design=design,
        sentences=sentences(cells, laws),
        contrasts=contrasts(cells, laws),
        rows=_rows(results, cells, laws, shown),
        exhibits=tuple(exhibit for exhibit in shown if exhibit.name.contestant.split(".")[0] == design.id),
    )


def _rows(results: Results, cells: list[Cell], laws: list[str], shown: Sequence[Exhibit]) -> tuple[Row, ...]:
    keys = dict.fromkeys((cell.profile, cell.manager) for cell in cells)
    return tuple(
        _row(results, [cell for cell in cells if (cell.profile, cell.manager) == key], laws, shown)
        for key in sorted(keys, key=_profile_then_manager)
    )


def _profile_then_manager(key: tuple[str, str]) -> tuple[bool, bool, str, str]:
    return (key[0] not in PROFILES[:1], key[1] not in MANAGERS[:1], *key)


def _row(results: Results, cells: list[Cell], laws: list[str], shown: Sequence[Exhibit]) -> Row:
    """The row of the contestant whose *cells* are given; there is at least one."""
    name = f"{cells[0].contestant}.{cells[0].profile}.{cells[0].manager}"
    own = [exhibit for exhibit in shown if exhibit.name.contestant == name]
    coverage = {entry.use_case: entry for entry in results.coverage if entry.contestant == name}
    by_place: dict[str, list[Cell]] = {}
    for cell in cells:
        by_place.setdefault(cell.use_case, []).append(cell)
    inexpressible = {cell.use_case for cell in cells if cell.inexpressible is not None}
    return Row(
        id=name,
        profile=cells[0].profile,
        manager=cells[0].manager,
        fields=_fields(cells, laws, own, ()),
        lines=tuple(
            Line(
                group=group,
                fields=_fields(
                    [cell for place in group.places for cell in by_place[place]],
                    laws,
                    own,
                    [setting_of(place) for place in group.places],
                ),
                coverage=tuple(coverage[place] for place in group.places if place in coverage),
            )
            for group in groups({place: coverage.get(place) for place in by_place}, inexpressible)
        ),
    )


def _fields(
    cells: list[Cell], laws: list[str], shown: Sequence[Exhibit], settings: Sequence[str]
) -> tuple[Field, ...]:
    by_law: dict[str, list[Cell]] = {law: [] for law in laws}
    for cell in cells:
        by_law.setdefault(cell.law, []).append(cell)
    return tuple(_field(law, by_law[law], shown, settings) for law in laws)


def _field(law: str, cells: list[Cell], shown: Sequence[Exhibit], settings: Sequence[str]) -> Field:
    smallest = [cell.smallest for cell in cells if cell.smallest is not None]
    violated = any(cell.violated for cell in cells)
    return Field(
        law=law,
        tally=tally(cells),
        smallest=smallest[0] if smallest else None,
        exhibit=most_telling(shown, law, smallest, settings) if violated else None,
    )


def _remainders(chapters: Sequence[Chapter]) -> Iterator[Remainder]:
    """Add up the grey lines of all contestants by their names, in the order in which they come."""
    grey: dict[str, list[Line]] = {}
    for line in (line for chapter in chapters for row in chapter.rows for line in row.lines if line.grey):
        grey.setdefault(line.name, []).append(line)
    for name, lines in grey.items():
        entries = [entry for line in lines for entry in line.coverage]
        yield Remainder(
            name=name,
            contestants=len(lines),
            cases=sum(entry.cases for entry in entries),
            space=sum(entry.space for entry in entries),
            points=sum(entry.fault_points for entry in entries),
            all_points=sum(entry.all_fault_points for entry in entries),
        )
