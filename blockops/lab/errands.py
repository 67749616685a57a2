"""From the parts of a comparison to errands, pieces of work of some tenths of a second each."""

from collections.abc import Iterable, Iterator

from blockops.lab.beside import judge_orders, judge_power, survey_orders, survey_power
from blockops.lab.parts import Depth, Part, Survey
from blockops.lab.sampling import Lots
from blockops.lab.settings import Roster
from blockops.lab.tally import Tally
from blockops.lab.work import find_pairs, judge_all_pairs, judge_drawn, judge_slice, survey
from blockops.lab.workers import Errand


def surveying(roster: Roster, parts: Iterable[Part]) -> Iterator[Errand[Survey]]:
    """Yield the survey of each setting that can be asked; at most one of its parts is sampled.

    Orders and power cuts have surveys of their own.
    """
    asked: dict[str, Part] = {}
    for part in parts:
        if part.inexpressible is None and (part.scope.sample is not None or part.counted_as not in asked):
            asked[part.counted_as] = part
    for name, part in asked.items():
        arguments = (roster, part.setting, part.scope)
        yield Errand(f"survey {name}", name, _SURVEYS.get(part.depth, survey), arguments, Survey)


_SURVEYS = {Depth.ORDERS: survey_orders, Depth.POWER: survey_power, Depth.LYING: survey_power}
_WHOLE = {Depth.ORDERS: judge_orders, Depth.POWER: judge_power, Depth.LYING: judge_power}


def judging(roster: Roster, parts: Iterable[Part]) -> Iterator[Errand[Tally]]:
    """Yield the slices of all parts but those of pairs, as many as are planned.

    Orders and, where all of them are judged, power cuts are one piece of work for a setting: what is
    equal to what shows only in the whole.
    """
    for part in parts:
        if part.depth is Depth.PAIRS:
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


def finding_pairs(roster: Roster, parts: Iterable[Part]) -> Iterator[Errand[Lots]]:
    """Yield what draws the pairs where their first faults are not judged by themselves."""
    for part in _of_pairs(parts):
        for start, end in _slices(part, _leading(part), 100):
            arguments = (roster, part.setting, part.scope, start, end)
            yield Errand(f"find {part} {start}", str(part.setting), find_pairs, arguments, Lots)


def judging_pairs(roster: Roster, parts: Iterable[Part]) -> Iterator[Errand[Tally]]:
    """Yield the slices of all parts of pairs: of those that were drawn or, where none was, of all."""
    for part in _of_pairs(parts):
        if part.drawn is not None:
            yield from _judging_drawn(roster, part, part.drawn, 200)
        else:
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
