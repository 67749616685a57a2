"""How long is left is said only from what this run has judged itself."""

import attrs
import pytest

from blockops.lab.results import Cell
from proposals.cli.screen import seconds_left


@attrs.frozen
class Progress:
    done_cases: int
    expected_cases: int
    stored_cases: int
    cells: tuple[Cell, ...] = ()


@pytest.mark.parametrize(
    ("progress", "elapsed", "left"),
    [
        (Progress(100, 1000, 0), 10.0, 90.0),
        (Progress(900, 1000, 800), 10.0, 10.0),  # at the pace of what was judged now, not of what was stored
        (Progress(800, 1000, 800), 10.0, None),
        (Progress(100, 1000, 0), 1.0, None),
        (Progress(1200, 1000, 0), 10.0, 0.0),
    ],
)
def test_the_time_left_follows_from_the_pace_of_this_run(
    progress: Progress, elapsed: float, left: float | None
) -> None:
    assert seconds_left(progress, elapsed) == left
