"""An order of steps: the scheduler's own, but for some tasks that step out of turn.

The scheduler gives every task its turn (`lab.execution`).  A *departure* lets a task take one step more
just before a *turn*, the n-th step that the scheduler itself gives; whose turn it was comes right after.  So
an order is the list of its departures, and its *depth* is their number: any order of the tasks' steps can
be had by enough of them.

    o       the operation: the command that is carried out or, while none is, management
    j-d0    the job that works on d0
    g-2     the guest's third lane
"""

import re

import attrs


@attrs.frozen
class Departure:
    """*task* takes a step before turn *turn*, counted from 1 when the operation begins."""

    turn: int
    task: str

    def __str__(self) -> str:
        return f"{self.task}@{self.turn}"

    @property
    def words(self) -> str:
        """Who steps out of turn, and when."""
        sort, _, which = self.task.partition("-")
        who = {"o": "the operation", "j": f"the job on {which}", "g": f"the guest's lane {which}"}[sort]
        return f"{who} just before turn {self.turn}"


@attrs.frozen
class Order:
    """The departures, in the order in which they happen; none: the scheduler's own order."""

    departures: tuple[Departure, ...] = ()

    def before(self, turn: int) -> tuple[str, ...]:
        """Return who steps out of turn just before *turn*, in order."""
        return tuple(one.task for one in self.departures if one.turn == turn)

    def then(self, turn: int, task: str) -> "Order":
        """Return the order with one departure more, which happens after all others."""
        return Order((*self.departures, Departure(turn, task)))

    def __str__(self) -> str:
        return ",".join(map(str, self.departures))


USUAL = Order()
"""The scheduler's own order."""


def parse_order(text: str) -> Order | None:
    """Return the order of that name; None where it is none."""
    found = [_DEPARTURE.fullmatch(part) for part in text.split(",")]
    made = tuple(Departure(int(match["turn"]), match["task"]) for match in found if match is not None)
    turns = [one.turn for one in made]
    return Order(made) if len(made) == len(found) and turns == sorted(turns) else None


_DEPARTURE = re.compile(r"(?P<task>o|g-\d{1,3}|j-[\w-]{1,64})@(?P<turn>[1-9]\d{0,6})", re.ASCII)
