"""Looking for the smallest case of each grave law that a contestant violates, in worlds that are drawn.

As the comparison searches (`blockops.lab.drawn`), but law by law: what one law's search has judged of a world
the next one's need not judge again.
"""

import random
from collections.abc import Iterator, Sequence

import attrs
import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis.errors import NoSuchExample

from blockops.lab.case import Case
from blockops.lab.drawn import GRAVE, Drawn, examples, tried
from blockops.lab.judging import Judged
from blockops.lab.results import Verdict
from blockops.management.contestant import Contestant
from tests.lab.found.pins import CORE, Pin


@attrs.define(eq=False)
class Walk:
    """One drawn world on its way through its faults: for each law, the first case that violates it."""

    cases: Iterator[tuple[Case, Judged]]
    first: dict[str, Case] = attrs.field(factory=dict)

    def breaking(self, law: str) -> Case | None:
        """Return the first case that breaks *law*, going no further than to it."""
        while law not in self.first:
            step = next(self.cases, None)
            if step is None:
                return None
            for name in laws_broken(step[1]):
                self.first.setdefault(name, step[0])
        return self.first[law]


def laws_broken(found: Judged) -> Iterator[str]:
    """Yield the grave laws that a case violates, and `CORE` where our own core broke in it."""
    if found.broken:
        yield CORE
    for law, judgement in found.judgements.items():
        if law in GRAVE and judgement.verdict is Verdict.VIOLATED:
            yield law


@attrs.define(eq=False)
class Seeking:
    """The search for one contestant: so many *examples* for each of the *laws*, drawn by *seed*."""

    contestant: Contestant
    examples: int
    seed: int
    laws: Sequence[str] = (CORE, *GRAVE)
    _walks: dict[Drawn, Walk] = attrs.field(factory=dict)

    def found(self) -> Iterator[Pin]:
        """Yield the smallest case of every law that is violated, and of the core if that breaks.

        Once mended, what broke in the core must hold for ever.
        """
        for law in self.laws:
            case = self._smallest(law)
            if case is not None:
                yield Pin(law, Verdict.HELD if law == CORE else Verdict.VIOLATED, case.spelled)

    def _smallest(self, law: str) -> Case | None:
        try:
            drawn = hypothesis.find(
                examples(self.contestant),
                lambda drawn: self._walk(drawn).breaking(law) is not None,
                settings=hypothesis.settings(
                    max_examples=self.examples,
                    deadline=None,
                    database=None,
                    phases=(Phase.generate, Phase.shrink),
                    suppress_health_check=list(HealthCheck),
                ),
                random=random.Random(self.seed),
            )
        except NoSuchExample:
            return None
        return self._walk(drawn).breaking(law)

    def _walk(self, drawn: Drawn) -> Walk:
        if drawn not in self._walks:
            self._walks[drawn] = Walk(tried(self.contestant, drawn))
        return self._walks[drawn]
