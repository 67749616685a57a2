"""Works measured in rounds, and the medians of their ratios.

In each round the limit, we and every peer do the work once, one right behind the other, and only what was
measured in the same round is divided.
"""

import statistics
from collections.abc import Callable, Iterable, Sequence

import attrs

from proposals.bench.rows import LIMIT, Measure, Work
from proposals.bench.site import Site

OURS = "blockops"


@attrs.frozen
class Ratio:
    """How many times as fast as *than* we are: the median of the rounds, the least and the most."""

    than: str
    median: float
    least: float
    most: float
    wanted: float | None

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached, None where there is none."""
        return None if self.wanted is None else self.median >= self.wanted


@attrs.frozen
class Row:
    """What came of one work: our median in seconds, and the ratios to the limit and to each peer."""

    work: str
    seconds: float
    rounds: int
    ratios: tuple[Ratio, ...]


def measured(works: Iterable[Work], site: Site, rounds: int, tell: Callable[[str], None]) -> list[Row]:
    """Measure every work in so many rounds, after one that does not count."""
    return [_row(work, site, rounds, tell) for work in works]


def _row(work: Work, site: Site, rounds: int, tell: Callable[[str], None]) -> Row:
    tell(work.name)
    for shape in work.shapes:
        site.make(shape)
    limit = {} if work.limit is None else {LIMIT: work.limit}
    everybody: dict[str, Measure] = {**limit, OURS: work.ours, **work.beside}
    able = {name: measure for name, measure in everybody.items() if measure(site) is not None}
    took = [{name: measure(site) or 0.0 for name, measure in able.items()} for _ in range(rounds)]
    wanted = {goal.than: goal.times for goal in work.goals}
    ratios = tuple(_ratio(name, took, wanted.get(name)) for name in able if name != OURS)
    return Row(work.name, statistics.median(one[OURS] for one in took), rounds, ratios)


def _ratio(than: str, took: Sequence[dict[str, float]], wanted: float | None) -> Ratio:
    found = [one[than] / one[OURS] for one in took if one[OURS]]
    return Ratio(than, statistics.median(found), min(found), max(found), wanted)
