"""The cases that the report draws: each once, with all the laws that it is the smallest case to break.

Violations are told apart by contestant, law and the way in which it broke; one case often is the smallest of
several, and its timeline is the same for all of them.
"""

from collections.abc import Collection, Iterable, Sequence

import attrs

from blockops.lab.results import Results, Violation
from blockops.report.case import CaseName, case_name
from blockops.report.lanes import Lanes, lanes


@attrs.frozen
class Exhibit:
    """A case with its number in the report, its id taken apart, its timeline, and what it violates.

    There is at least one violation, and all are of this case.
    """

    number: int
    name: CaseName
    lanes: Lanes
    violations: tuple[Violation, ...]

    @property
    def case(self) -> str:
        return self.violations[0].case

    def breaks(self, law: str) -> bool:
        """Whether *law* is one of those that this case violates."""
        return any(found.law == law for found in self.violations)


def exhibits(results: Results) -> tuple[Exhibit, ...]:
    """Return the exhibits of *results*, numbered from 1, in the order of the violations."""
    by_case: dict[tuple[object, ...], list[Violation]] = {}
    for found in results.violations:
        by_case.setdefault((found.case, found.fault_point, found.timeline), []).append(found)
    return tuple(
        Exhibit(number, case_name(found[0].case), lanes(found[0].timeline), tuple(found))
        for number, found in enumerate(by_case.values(), start=1)
    )


def most_telling(
    shown: Iterable[Exhibit], law: str, cases: Sequence[str], settings: Collection[str]
) -> Exhibit | None:
    """Return which of *shown* to look at where *law* was violated, None where none breaks it.

    Best is the first of *cases*, the smallest ones there; then any of the same *settings*; then any other.
    """
    breaking = [exhibit for exhibit in shown if exhibit.breaks(law)]
    return min(
        breaking,
        key=lambda exhibit: (exhibit.case not in cases[:1], exhibit.name.setting not in settings),
        default=None,
    )
