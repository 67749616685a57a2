"""All orders to a depth, of those that are equivalent only one.

Orders grow at their end: to a run, a departure is added after all of its own.  A task that steps out of turn
before turn *t* may as well do so before turn *t + 1* if the step that comes between does not meet its own
(`footprint`), or is its own next one: two neighbours that nobody can tell apart have changed places.  Later
turns are tried first, so the later one of the two has been looked at, with every departure that comes
after it, and the earlier one is left out.  What is not left out are further departures before the very same
turn *t*: between the two that would change places they may make a difference.
By induction over turns every order that is left out ends like one that was run with as many departures.
(Sleep sets do this for searches without a bound; under one they may drop the only order of a kind that
the bound allows.)
"""

import functools
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import attrs

from blockops.lab.interleaving.footprint import Footprint
from blockops.lab.interleaving.order import USUAL, Order

T = TypeVar("T")


@attrs.frozen
class Taken:
    """One step of a run: whose, what it touched, whether out of turn, and who could have stepped instead."""

    task: str
    footprint: Footprint
    out_of_turn: bool
    able: tuple[str, ...]


@attrs.frozen
class Ran(Generic[T]):
    """A run under an order: its steps as long as tasks may depart, and how to find out what came of it.

    Of a run to which no departure is to be added only the steps out of turn are known.
    """

    order: Order
    steps: tuple[Taken, ...]
    found: Callable[[], T]

    @functools.cached_property
    def outcome(self) -> T:
        """What came of it: looked into when it is first asked for."""
        return self.found()

    def places(self) -> list[tuple[int, Taken]]:
        """Return where a further departure may come: before which turns, each with the step that follows."""
        last = max((place for place, one in enumerate(self.steps) if one.out_of_turn), default=-1)
        turn = sum(not one.out_of_turn for one in self.steps[: last + 1])
        return list(enumerate(self.steps[last + 1 :], turn + 1))

    @property
    def departed(self) -> Footprint:
        """What the last departure touched."""
        return next(one.footprint for one in reversed(self.steps) if one.out_of_turn)


@attrs.define
class Counts:
    """How many orders were run to be judged, and how many were left out as equivalent to one of those.

    What goes on from an order that was left out was so, too, but for what goes on before the very same turn.
    Of that, orders with one departure more are counted.
    """

    explored: int = 0
    pruned: int = 0


@attrs.define
class Search(Generic[T]):
    """Looks through all orders of at most *depth* departures beyond those of *root*.

    *prune* False: equivalent ones, too.  *run* is told whether the run is a last one, so that no departure
    will be added to it.
    """

    run: Callable[[Order, bool], Ran[T]]
    depth: int
    prune: bool = True
    root: Order = USUAL
    counts: Counts = attrs.field(factory=Counts)

    def orders(self) -> Iterator[Ran[T]]:
        """Yield a run of each order, the root's first."""
        first = self.run(self.root, not self.depth)
        self.counts.explored += 1
        yield first
        yield from self._deeper(first, self.depth, first.places())

    def firsts(self) -> Iterator[tuple[Ran[T], bool]]:
        """Yield a run of each order with one departure more than the root, and whether it is explored.

        Each of those that are not is equivalent to one that is; nothing is counted.
        """
        root = self.run(self.root, False)
        for order, found in self._one_more(root, root.places(), last=False):
            yield (self.run(order, False), False) if found is None else (found, True)

    def beside(self) -> Iterator[Ran[T]]:
        """Yield the runs that are explored below the root where that is itself equivalent to another order.

        Those are the ones whose next departure is before the turn of the root's last.
        """
        if self.depth:
            root = self.run(self.root, False)
            here, after = root.places()[:1], root.places()[1:]
            self.counts.pruned += sum(len(taken.able) for _, taken in after)
            yield from self._deeper(root, self.depth, here)

    def _deeper(self, ran: Ran[T], depth: int, places: list[tuple[int, Taken]]) -> Iterator[Ran[T]]:
        """Yield the runs with up to *depth* departures more than *ran*, the first of them at *places*."""
        if not depth:
            return
        for order, found in self._one_more(ran, places, last=depth == 1):
            if found is not None:
                self.counts.explored += 1
                yield found
                yield from self._deeper(found, depth - 1, found.places() if depth > 1 else [])
            else:
                self.counts.pruned += 1
                below = attrs.evolve(self, root=order, depth=depth - 1)
                yield from below.beside()

    def _one_more(
        self, ran: Ran[T], places: list[tuple[int, Taken]], *, last: bool
    ) -> Iterator[tuple[Order, Ran[T] | None]]:
        """Yield the orders with one departure more than *ran* at *places*, None where one is equivalent."""
        later: dict[str, Footprint] = {}
        for turn, taken in reversed(places):
            here: dict[str, Footprint] = {}
            for task in taken.able:
                order = ran.order.then(turn, task)
                if self._is_equivalent(taken, task, later):
                    here[task] = taken.footprint if taken.task == task else later[task]
                    yield order, None
                else:
                    found = self.run(order, last)
                    here[task] = found.departed
                    yield order, found
            later = here

    def _is_equivalent(self, taken: Taken, task: str, later: dict[str, Footprint]) -> bool:
        """Whether *task* may as well step out of turn after *taken*, where that has been tried."""
        if not self.prune or task not in later:
            return False
        return taken.task == task or not taken.footprint.meets(later[task])
