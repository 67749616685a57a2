"""The comparison: every part, every fault, judged by all workers, added up to one result.

Tallies add up to the same whole in any order, so the result does not depend on how many workers there
were.  An interrupt ends the run with what had been judged by then; what a store holds is not judged
again.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import attrs

from blockops.lab.drawn import Found, found_worlds, searches
from blockops.lab.outcome import cells_of, results_of
from blockops.lab.plan import Part, Roster, Settings, Survey, allot, parts_of
from blockops.lab.results import Cell, Results, ToolSample
from blockops.lab.sample import sample_images
from blockops.lab.store import Store
from blockops.lab.tally import Tally
from blockops.lab.work import enlisted, judge_slice, slices, survey
from blockops.lab.workers import Batch, Piece, T, own_workers

__all__ = ["Progress", "Settings", "compare"]


@attrs.frozen
class Progress:
    """How far a comparison is: settings surveyed, cases judged and to be judged, the cells as they stand.

    *stored_cases* are those of the judged ones that a store held, so that nobody had to judge them.
    """

    done_cases: int
    expected_cases: int
    stored_cases: int
    parts: tuple[Part, ...]

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells so far; counting them takes a while."""
        return tuple(cell for part in self.parts for cell in cells_of(part))


Watch = Callable[[Progress], None]


def compare(
    settings: Settings,
    contestants: Roster,
    on_progress: Watch,
    executor: Executor | None = None,
    store: Store | None = None,
) -> Results:
    """Run the whole comparison; an interrupt ends it early with what there is.

    Workers of our own do it, unless an *executor* is given: any will do, on any machines that have this
    code.  What is found goes to *store* while the run goes on, and what is there is not looked for again.
    """
    parts = parts_of(settings, tuple(enlisted(contestants).values()))
    run = _Run(settings, contestants, parts, on_progress, store)
    with _workers(settings, contestants, executor) as workers:
        try:
            run.go(workers)
        except KeyboardInterrupt:
            run.interrupted = True
    results = results_of(settings, parts, run.found)
    return attrs.evolve(results, interrupted=run.interrupted, qemu_img_sample=run.sample)


def _workers(
    settings: Settings, contestants: Roster, executor: Executor | None
) -> AbstractContextManager[Executor]:
    if executor is not None:
        return nullcontext(executor)
    return own_workers(settings.workers, partial(enlisted, contestants))


@attrs.define
class _Run:
    """One comparison on its way."""

    settings: Settings
    contestants: Roster
    parts: list[Part]
    on_progress: Watch
    store: Store | None
    found: tuple[Found, ...] = ()
    sample: ToolSample = attrs.field(factory=ToolSample)
    interrupted: bool = False
    _expected: int = 0
    _done: int = 0
    _stored: int = 0

    def go(self, workers: Executor) -> None:
        """Survey, judge, search; what comes of it is added to the parts as it comes."""
        asked = {str(part.setting): part for part in self.parts if part.inexpressible is None}
        self._survey(workers, asked)
        allot(self.settings.policy, self.parts)
        self._expected = sum(part.planned for part in self.parts)
        self._judge(workers, asked)
        searching = self._batch(workers, searches(self.settings, self.contestants, self.parts))
        self.sample = sample_images(self.settings, self.parts)  # here, while the workers search
        self.found = found_worlds(self.parts, [done.result for done in searching])

    def _batch(self, workers: Executor, pieces: Iterable[Piece[T]]) -> Batch[T]:
        return Batch(workers, iter(pieces), self.store)

    def _survey(self, workers: Executor, asked: dict[str, Part]) -> None:
        pieces = (
            Piece(f"survey {name}", name, survey, (self.contestants, part.setting, part.scope), Survey)
            for name, part in asked.items()
        )
        for done in self._batch(workers, pieces):
            asked[done.piece.about].surveyed = done.result
            self._tell()

    def _judge(self, workers: Executor, asked: dict[str, Part]) -> None:
        pieces = (
            Piece(
                f"judge {name} {start}",
                name,
                judge_slice,
                (self.contestants, part.setting, part.scope, start, end),
                Tally,
            )
            for name, part in asked.items()
            for start, end in slices(part.setting, part.planned)
        )
        for done in self._batch(workers, pieces):
            asked[done.piece.about].tally.add(done.result)
            self._done += done.result.cases
            self._stored += done.result.cases if done.stored else 0
            self._tell()

    def _tell(self) -> None:
        self.on_progress(Progress(self._done, self._expected, self._stored, tuple(self.parts)))
