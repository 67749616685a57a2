"""What docs/planted-bugs.md has of computed: run as a program it puts it into the page."""

import re
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import attrs
import pytest

from blockops.lab.laws import LAWS
from tests.quality.planting import CORE, Bug, found_with, group_of

PAGE = Path(__file__).parents[2] / "docs" / "planted-bugs.md"
BEGIN = "<!-- computed: python -m tests.quality.paper -->\n"


@attrs.frozen
class Row:
    """A planted bug, the law that sees it, and the first case in which it does."""

    name: str
    law: str
    group: str
    case: str

    def __str__(self) -> str:
        return f"| {self.name} | {self.law} | {self.group} | `{self.case}` |"


def row_of(bug: Bug, found: str) -> Row:
    """Return what the page says of a bug that was found in the case *found*."""
    return Row(bug.name, bug.law, group_of(found), without_numbers(found))


def without_numbers(case: str) -> str:
    """Return a case's id without what every change of the code moves: numbers of operations and steps."""
    contestant, setting, fault, *order = case.split("/")
    kind, at, _ = fault.partition("@")
    short = re.sub(r"(power-P\d).*", r"\1", kind)
    turns = [re.sub(r"@\d+", "@n", departures) for departures in order]
    return "/".join([contestant, setting.partition("~")[0], f"{short}{at}{'n' if at else ''}", *turns])


def computed(rows: Sequence[Row]) -> str:
    """Return all that the page has of computed: the count, law by group of faults, and every bug."""
    head = ["| planted bug | law | faults | first seen in |", "| --- | --- | --- | --- |"]
    return "\n".join([f"{BEGIN}\n{tally(rows)}\n", *_crossed(rows), "", *head, *map(str, rows), ""])


def tally(rows: Sequence[Row]) -> str:
    """Return how many were found of how many; a page is written only where that is all of them."""
    return f"**{len(rows)} of {len(rows)} planted bugs were found** when the tests last ran."


def _crossed(rows: Sequence[Row]) -> list[str]:
    counts = Counter((row.group, row.law) for row in rows)
    laws = [*(law.id for law in LAWS), CORE]
    lines = [f"| faults | {' | '.join(laws)} |", f"| --- |{' --- |' * len(laws)}"]
    for group in sorted({row.group for row in rows}):
        cells = (str(counts[group, law] or "") for law in laws)
        lines.append(f"| {group} | {' | '.join(cells)} |")
    return lines


def rows_in(page: str) -> list[Row]:
    """Return the rows that a page has."""
    found = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \| `([^`|]+)` \|$", page, flags=re.MULTILINE)
    return [Row(*cells) for cells in found]


def _found(bug: Bug) -> Row:
    with pytest.MonkeyPatch.context() as patch:
        bug.plant(patch)
        case = found_with(bug)
    if case is None:
        raise SystemExit(f"not found: {bug.name}")
    return row_of(bug, case)


if __name__ == "__main__":
    from tests.quality.test_planted import BUGS

    before = PAGE.read_text(encoding="utf-8").partition(BEGIN)[0]
    PAGE.write_text(before + computed([_found(bug) for bug in BUGS]), encoding="utf-8")
    sys.stdout.write(f"{PAGE} is written\n")
