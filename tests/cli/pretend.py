"""The program with a lab that only pretends: fabricated results at once, or after a wait to interrupt.

python tests/cli/pretend.py [--pretend broken|inconclusive|slow] compare …
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import attrs

sys.path.insert(0, str(Path(__file__).parents[2]))

from blockops.lab.results import Cell, Results
from proposals.cli import compare as module
from proposals.cli import main
from tests.report.fabricated import results


@attrs.frozen
class Progress:
    """What the lab tells a watcher."""

    done_cases: int
    expected_cases: int
    stored_cases: int
    cells: tuple[Cell, ...]


def pretend(how: str) -> Callable[..., Results]:
    """Return a lab that finds the fabricated results."""

    def compare(
        settings: object,
        contestants: object,
        on_progress: Callable[[Progress], None],
        executor: object,
        store: object,
    ) -> Results:
        found = attrs.evolve(results(), timing=None)
        try:
            for done in range(11):
                on_progress(Progress(done * 100, 1000, 0, found.cells[: done * 90]))
                time.sleep(0.6 if how == "slow" else 0)
            if how == "slow":
                time.sleep(60)
        except KeyboardInterrupt:
            found = attrs.evolve(found, interrupted=True)
        if how == "broken":
            return attrs.evolve(found, broken_invariants=("d0 lost a write", "d1 lost a write"))
        if how == "inconclusive":
            return attrs.evolve(found, cells=tuple(attrs.evolve(c, held=0, violated=0) for c in found.cells))
        return found

    return compare


if __name__ == "__main__":
    arguments = sys.argv[1:]
    how = ""
    if arguments[0] == "--pretend":
        how, arguments = arguments[1], arguments[2:]
    with (
        patch.object(module, "compare", pretend(how)),
        patch.object(module, "claims_and_costs", lambda jobs: (results().claims, results().costs)),
        patch.object(module, "efforts", lambda: results().efforts),
    ):
        sys.exit(main(arguments))
