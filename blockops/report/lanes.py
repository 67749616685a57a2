"""A case's timeline as a drawing in lanes: one per actor that takes part, the fault marked across all.

Rows are in the order of the steps; events of one step that fit side by side share a row, and so does what
one actor does several times on end.
"""

from collections.abc import Iterable, Sequence

import attrs

from blockops.lab.results import ACTORS, Event

FAULT = "fault"


@attrs.frozen
class Row:
    """What happens at one step, by lane; a row with *fault* holds that alone, across all lanes.

    What happens *times* times on end, with nothing between, is alone in its row, which goes on to the step
    *until*.
    """

    step: int
    texts: dict[str, str]
    fault: str | None = None
    times: int = 1
    until: int = attrs.field(default=attrs.Factory(lambda row: row.step, takes_self=True))

    @property
    def steps(self) -> str:
        """The steps that the row is of: "3", "3–8"."""
        return f"{self.step}" if self.step == self.until else f"{self.step}–{self.until}"

    def says(self, actor: str) -> str:
        """What *actor* does, and how often; nothing where it does nothing."""
        text = self.texts.get(actor, "")
        return f"{text} (×{self.times})" if self.times > 1 and text else text


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
        elif rows and rows[-1].fault is None and rows[-1].texts == {event.actor: event.text}:
            rows[-1] = attrs.evolve(rows[-1], times=rows[-1].times + 1, until=event.step)
        elif _fits(rows, event):
            rows[-1].texts[event.actor] = event.text
        else:
            rows.append(Row(event.step, {event.actor: event.text}))
    return Lanes(tuple(actor for actor in ACTORS if actor in taking_part and actor != FAULT), tuple(rows))


def _fits(rows: Sequence[Row], event: Event) -> bool:
    """Whether *event* can stand in the last row: same step, and nothing in its lane or right of it.

    Right of it would make the reader meet the later event first.
    """
    if not rows or rows[-1].fault is not None or rows[-1].times > 1 or rows[-1].step != event.step:
        return False
    return max(ACTORS.index(actor) for actor in rows[-1].texts) < ACTORS.index(event.actor)
