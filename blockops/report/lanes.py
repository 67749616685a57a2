"""A case's timeline as a drawing in lanes: one per actor that takes part, the fault marked across all.

Rows are in the order of the steps; events of one step that fit side by side share a row.
"""

from collections.abc import Iterable, Sequence

import attrs

from blockops.lab.results import ACTORS, Event

FAULT = "fault"


@attrs.frozen
class Row:
    """What happens at one step, by lane; a row with *fault* holds that alone, across all lanes."""

    step: int
    texts: dict[str, str]
    fault: str | None = None


@attrs.frozen
class Lanes:
    """The actors that take part, in the order in which they are drawn, and the rows."""

    actors: tuple[str, ...]
    rows: tuple[Row, ...]


def lanes(timeline: Iterable[Event]) -> Lanes:
    """Return the drawing of *timeline*, which is in the order in which things happened."""
    events = tuple(timeline)
    taking_part = {event.actor for event in events}
    rows: list[Row] = []
    for event in events:
        if event.actor == FAULT:
            rows.append(Row(event.step, {}, event.text))
        elif _fits(rows, event):
            rows[-1].texts[event.actor] = event.text
        else:
            rows.append(Row(event.step, {event.actor: event.text}))
    return Lanes(tuple(actor for actor in ACTORS if actor in taking_part and actor != FAULT), tuple(rows))


def _fits(rows: Sequence[Row], event: Event) -> bool:
    """Whether *event* can stand in the last row: same step, and nothing in its lane or right of it.

    Right of it would make the reader meet the later event first.
    """
    if not rows or rows[-1].fault is not None or rows[-1].step != event.step:
        return False
    return max(ACTORS.index(actor) for actor in rows[-1].texts) < ACTORS.index(event.actor)
