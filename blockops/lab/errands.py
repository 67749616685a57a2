"""From the parts of a comparison to errands, pieces of work of some tenths of a second each."""

from collections.abc import Iterable, Iterator

from blockops.lab.beside import judge_power, survey_power
from blockops.lab.ordering import judge_crossed, judge_orders, judge_orders_from, survey_orders
from blockops.lab.parts import Depth, First, Part, Survey
from blockops.lab.sampling import Lots
from blockops.lab.second_cuts import judge_all_second_cuts, survey_second_cuts
from blockops.lab.settings import Roster
from blockops.lab.tally import Tally
from blockops.lab.work import find_pairs, judge_all_pairs, judge_drawn, judge_slice, survey
from blockops.lab.workers import Errand


def surveying(roster: Roster, parts: Iterable[Part]) -> Iterator[Errand[Survey]]:
    """Yield the survey of each setting that can be asked; at most one of its parts is sampled.

    Power cuts have a survey of their own, and so have orders, with what they are crossed with.
    """
    asked: dict[str, Part] = {}
    for part in parts:
        if part.inexpressible is None and (part.scope.sample is not None or part.counted_as not in asked):
            asked[part.counted_as] = part
    for name, part in asked.items():
        arguments = (roster, part.setting, part.scope)
        yield Errand(f"survey {name}", name, _SURVEYS.get(part.depth, survey), arguments, Survey)


_SURVEYS = {
    Depth.ORDERS: survey_orders,
    Depth.CROSSED: survey_orders,
    Depth.POWER: survey_power,
    Depth.LYING: survey_power,
    Depth.AGAIN: survey_second_cuts,
}
_WHOLE = {
    Depth.ORDERS: judge_orders,
    Depth.POWER: judge_power,
    Depth.LYING: judge_power,
    Depth.AGAIN: judge_all_second_cuts,
}
_MET_LATER = (Depth.PAIRS, Depth.CROSSED)
"""What is found only when others are judged, unless the survey has listed it."""


def judging(roster: Roster, parts: Iterable[Part]) -> Iterator[Errand[Tally]]:
    """Yield the slices of all parts but those of pairs, as many as are planned.

    Where all of them are judged, power cuts are one piece of work for a setting: what is equal to what
    shows only in the whole.  So are orders, unless they are listed.
    """
    for part in parts:
        if part.surveyed is not None and part.surveyed.firsts:
            yield from _judging_listed(roster, part, part.surveyed.firsts)
            continue
        if part.depth in _MET_LATER:
            continue
        if part.drawn is not None:
            yield from _judging_drawn(roster, part, part.drawn, 400)
            continue
        if part.depth in _WHOLE:
            yield from _judging_whole(roster, part)
            continue
        for start, end in _slices(part, part.planned, 400):
            arguments = (roster, part.setting, part.scope, start, end)
            yield Errand(f"judge {part} {start}", str(part), judge_slice, arguments, Tally)


def _judging_whole(roster: Roster, part: Part) -> Iterator[Errand[Tally]]:
    if part.planned:
        arguments = (roster, part.setting, part.scope)
        yield Errand(f"judge {part}", str(part), _WHOLE[part.depth], arguments, Tally)


def _judging_drawn(
    roster: Roster, part: Part, drawn: tuple[tuple[int, str], ...], size: int
) -> Iterator[Errand[Tally]]:
    for start, end in _slices(part, len(drawn), size):
        arguments = (roster, part.setting, drawn[start:end])
        yield Errand(f"judge {part} {start}", str(part), judge_drawn, arguments, Tally)


def _judging_listed(roster: Roster, part: Part, firsts: tuple[First, ...]) -> Iterator[Errand[Tally]]:
    """Yield orders that are listed: with those that go on from them, or with the faults that they meet."""
    crossed = part.depth is Depth.CROSSED
    function = judge_crossed if crossed else judge_orders_from
    slices: list[list[tuple[int, First]]] = [[]]
    size = 0
    for rank, first in enumerate(firsts if crossed else (_USUAL, *firsts)):
        if crossed and not first.faults:
            continue
        if size > _A_PIECE:
            slices.append([])
            size = 0
        slices[-1].append((rank, first))
        size += first.faults if crossed else 1 + first.further
    for piece in slices:
        arguments = (roster, part.setting, part.scope, tuple(piece))
        yield Errand(f"judge {part} {piece[0][0]}", str(part), function, arguments, Tally)


_USUAL = First("", explored=True, further=0, faults=0)
"""The scheduler's own order, which is judged, too."""

_A_PIECE = 400
"""About as many cases as a piece of work should have."""


def finding_pairs(roster: Roster, parts: Iterable[Part]) -> Iterator[Errand[Lots]]:
    """Yield what draws the pairs where their first faults are not judged by themselves."""
    for part in _of_pairs(parts):
        for start, end in _slices(part, _leading(part), 100):
            arguments = (roster, part.setting, part.scope, start, end)
            yield Errand(f"find {part} {start}", str(part.setting), find_pairs, arguments, Lots)


def judging_met(roster: Roster, parts: Iterable[Part]) -> Iterator[Errand[Tally]]:
    """Yield the slices of what has been met meanwhile: what was drawn of it, or all pairs."""
    for part in parts:
        if part.depth in _MET_LATER and part.drawn is not None:
            yield from _judging_drawn(roster, part, part.drawn, 200)
    for part in _of_pairs(parts):
        if part.drawn is None:
            for start, end in _slices(part, _leading(part), 10):
                arguments = (roster, part.setting, start, end)
                yield Errand(f"judge {part} {start}", str(part), judge_all_pairs, arguments, Tally)


def _of_pairs(parts: Iterable[Part]) -> list[Part]:
    return [part for part in parts if part.depth is Depth.PAIRS and part.surveyed is not None]


def _leading(part: Part) -> int:
    return 0 if part.surveyed is None else part.surveyed.leading


def _slices(part: Part, length: int, size: int) -> list[tuple[int, int]]:
    """Divide *length* into slices of about *size*, fewer the more devices there are: (start, end) of each."""
    step = max(1, size // part.setting.world.devices)
    return [(start, min(start + step, length)) for start in range(0, length, step)]
