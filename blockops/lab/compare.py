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

from blockops.lab.allotting import allot, meet_crossed, meet_pairs
from blockops.lab.drawn import Found, found_worlds, searches
from blockops.lab.errands import finding_pairs, judging, judging_met, surveying
from blockops.lab.outcome import cells_of, results_of
from blockops.lab.parts import Part
from blockops.lab.plan import parts_of
from blockops.lab.qemu.folders import remove_abandoned
from blockops.lab.results import Cell, Results, ToolSample
from blockops.lab.sample import sample_images
from blockops.lab.sampling import Lots
from blockops.lab.settings import Roster, Settings
from blockops.lab.store import Store
from blockops.lab.tally import Tally
from blockops.lab.work import enlisted
from blockops.lab.workers import Batch, Errand, T, own_workers

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
            allot(settings.policy, parts)  # so that what was to be sampled is told from what was not
    remove_abandoned()  # what the workers' real QEMUs have worked in
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
        self._survey(workers)
        allot(self.settings.policy, self.parts)
        self._judge(workers, judging(self.contestants, self.parts))
        meet_pairs(self.parts, self._drawn_pairs(workers))
        meet_crossed(self.parts)
        # The searches take longest: begun before the pairs, none is left alone at the end.
        searching = self._batch(workers, searches(self.settings, self.contestants, self.parts))
        self._judge(workers, judging_met(self.contestants, self.parts))
        self.sample = sample_images(self.settings, self.parts)  # here, while the workers search
        self.found = found_worlds(self.parts, [done.result for done in searching])

    def _batch(self, workers: Executor, errands: Iterable[Errand[T]]) -> Batch[T]:
        return Batch(workers, iter(errands), self.store)

    def _survey(self, workers: Executor) -> None:
        by_setting: dict[str, list[Part]] = {}
        for part in self.parts:
            by_setting.setdefault(part.counted_as, []).append(part)
        for done in self._batch(workers, surveying(self.contestants, self.parts)):
            for part in by_setting[done.errand.about]:
                part.surveyed = done.result.seen_by(part)
            self._tell()

    def _judge(self, workers: Executor, errands: Iterable[Errand[Tally]]) -> None:
        parts = {str(part): part for part in self.parts}
        self._expected = sum(part.planned for part in self.parts)
        for done in self._batch(workers, errands):
            parts[done.errand.about].tally.add(done.result)
            self._done += done.result.cases
            self._expected -= done.result.pruned
            self._stored += done.result.cases if done.stored else 0
            self._tell()

    def _drawn_pairs(self, workers: Executor) -> dict[str, Lots]:
        """Return by setting the pairs that were drawn: while single faults were judged, or else now."""
        drawn = {str(part.setting): part.tally.pairs for part in self.parts if not part.depth.besides}
        if self.settings.groups is not None:
            drawn = {}
            for done in self._batch(workers, finding_pairs(self.contestants, self.parts)):
                drawn.setdefault(done.errand.about, Lots()).add(done.result)
        return drawn

    def _tell(self) -> None:
        self.on_progress(Progress(self._done, self._expected, self._stored, tuple(self.parts)))
