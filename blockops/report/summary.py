"""The results in the order in which people read them: the same for every form of the report.

Summary ─┬─ totals       what was tried, in numbers that add up
         └─ Chapter      one design: three sentences, contrasts, its contestants and violations
              └─ Row     one contestant: its tally per law, and per use case a Line of them
"""

from collections.abc import Sequence

import attrs

from blockops.lab.results import Cell, Coverage, Design, Law, Results, Violation
from blockops.report.case import CaseName, case_name
from blockops.report.contrast import Contrast, contrasts
from blockops.report.lanes import Lanes, lanes
from blockops.report.tally import Tally, tally
from blockops.report.totals import Totals, totals
from blockops.report.verdict import sentences

PROFILES = ("as-posted", "hardened")
MANAGERS = ("naive", "careful")


@attrs.frozen
class Field:
    """One field of the matrix: its tally, its smallest case, and the number of an exhibit to look at.

    A violation is exhibited once a contestant, so the exhibit may show it in another use case.
    """

    law: str
    tally: Tally
    smallest: str | None = None
    violation: int | None = None


@attrs.frozen
class Line:
    """One contestant in one use case: a field per law, and how far the space was covered."""

    use_case: str
    fields: tuple[Field, ...]
    coverage: Coverage | None

    @property
    def grey(self) -> bool:
        """Whether not every case was judged, so that what held may yet break."""
        return self.coverage is not None and (self.coverage.sampled or self.coverage.truncated)

    @property
    def extent(self) -> str:
        """How many cases were judged, and of how many where that is not all."""
        if self.coverage is None:
            return ""
        of = f" of {self.coverage.space:,}" if self.grey else ""
        how = ", truncated" if self.coverage.truncated else ", sampled" if self.grey else ""
        return f"{self.coverage.cases:,}{of}{how}"

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
        """Whether in no use case every case was judged."""
        judged = [line for line in self.lines if line.coverage is not None]
        return bool(judged) and all(line.grey for line in judged)


@attrs.frozen
class Exhibit:
    """A violation with its number in the report, its case id taken apart and its timeline in lanes."""

    number: int
    violation: Violation
    name: CaseName
    lanes: Lanes


@attrs.frozen
class Chapter:
    """Everything about one design."""

    design: Design
    sentences: tuple[str, str, str]
    contrasts: tuple[Contrast, ...]
    rows: tuple[Row, ...]
    exhibits: tuple[Exhibit, ...]


@attrs.frozen
class Summary:
    """A whole report, before it is set in type."""

    results: Results
    laws: tuple[Law, ...]
    totals: Totals
    chapters: tuple[Chapter, ...]

    @property
    def proposals(self) -> tuple[Chapter, ...]:
        """The page's proposals, or, where none was run, whatever was."""
        return tuple(chapter for chapter in self.chapters if chapter.design.page) or self.chapters

    @property
    def baselines(self) -> tuple[Chapter, ...]:
        return tuple(chapter for chapter in self.chapters if chapter not in self.proposals)


def summarise(results: Results, laws: Sequence[Law]) -> Summary:
    """Return *results* in reading order: the page's proposals first, violations numbered from 1."""
    order = [law.id for law in laws]
    exhibits = _exhibits(results)
    return Summary(
        results=results,
        laws=tuple(laws),
        totals=totals(results, order),
        chapters=tuple(_chapter(results, design, order, exhibits) for design in _designs(results)),
    )


def _designs(results: Results) -> list[Design]:
    """The designs that have cells: those described first, the page's before all others."""
    judged = dict.fromkeys(cell.contestant for cell in results.cells)
    described = {design.id: design for design in results.designs}
    known = [described[name] for name in described if name in judged]
    designs = [*known, *(Design(id=name, title=name) for name in judged if name not in described)]
    return sorted(designs, key=lambda design: not design.page)


def _exhibits(results: Results) -> list[Exhibit]:
    numbered = enumerate(results.violations, start=1)
    return [Exhibit(n, found, case_name(found.case), lanes(found.timeline)) for n, found in numbered]


def _chapter(results: Results, design: Design, laws: list[str], exhibits: list[Exhibit]) -> Chapter:
    cells = [cell for cell in results.cells if cell.contestant == design.id]
    return Chapter(
        design=design,
        sentences=sentences(cells, laws),
        contrasts=contrasts(cells, laws),
        rows=_rows(results, cells, laws, exhibits),
        exhibits=tuple(exhibit for exhibit in exhibits if exhibit.name.contestant.split(".")[0] == design.id),
    )


def _rows(results: Results, cells: list[Cell], laws: list[str], exhibits: list[Exhibit]) -> tuple[Row, ...]:
    keys = dict.fromkeys((cell.profile, cell.manager) for cell in cells)
    return tuple(
        _row(results, [cell for cell in cells if (cell.profile, cell.manager) == key], laws, exhibits)
        for key in sorted(keys, key=_profile_then_manager)
    )


def _profile_then_manager(key: tuple[str, str]) -> tuple[bool, bool, str, str]:
    return (key[0] not in PROFILES[:1], key[1] not in MANAGERS[:1], *key)


def _row(results: Results, cells: list[Cell], laws: list[str], exhibits: list[Exhibit]) -> Row:
    """The row of the contestant whose *cells* are given; there is at least one."""
    name = f"{cells[0].contestant}.{cells[0].profile}.{cells[0].manager}"
    own = [exhibit for exhibit in exhibits if exhibit.name.contestant == name]
    coverage = {entry.use_case: entry for entry in results.coverage if entry.contestant == name}
    by_use_case: dict[str, list[Cell]] = {}
    for cell in cells:
        by_use_case.setdefault(cell.use_case, []).append(cell)
    return Row(
        id=name,
        profile=cells[0].profile,
        manager=cells[0].manager,
        fields=_fields(cells, laws, own),
        lines=tuple(
            Line(
                use_case=use_case,
                fields=_fields(judged, laws, sorted(own, key=lambda e: e.name.use_case != use_case)),
                coverage=coverage.get(use_case),
            )
            for use_case, judged in by_use_case.items()
        ),
    )


def _fields(cells: list[Cell], laws: list[str], exhibits: list[Exhibit]) -> tuple[Field, ...]:
    return tuple(
        _field(
            law,
            [cell for cell in cells if cell.law == law],
            [exhibit for exhibit in exhibits if exhibit.violation.law == law],
        )
        for law in laws
    )


def _field(law: str, cells: list[Cell], exhibits: list[Exhibit]) -> Field:
    smallest = [cell.smallest for cell in cells if cell.smallest is not None]
    return Field(
        law=law,
        tally=tally(cells),
        smallest=smallest[0] if smallest else None,
        violation=exhibits[0].number if exhibits and any(cell.violated for cell in cells) else None,
    )
