"""Hypothesis draws worlds, a loop breaks each of them: what must hold whatever is drawn.

The strategies are those of the comparison (`blockops.lab.drawn`); so are the cases and the laws.
"""

import attrs
import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from blockops.lab.drawn import Drawn, examples, search
from blockops.lab.judging import judged
from proposals.catalogue import contestants
from tests.lab.cases import CONTESTANTS, explore, setting, violated

BROKEN_AT = 10
"""At about how many points each drawn world is broken."""

SMALL = settings(
    max_examples=5,
    derandomize=True,
    deadline=None,
    database=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
"""A small budget, the same examples on every run: the comparison itself draws more."""

ALWAYS = frozenset(
    {
        "all-or-nothing",
        "one-instant",
        "content",
        "nothing-lost",
        "sound",
        "released",
        "truthful",
        "same-after-reopen",
    }
)
"""What a design that is right keeps under every single fault."""

KEPT = {
    "group-snapshot.hardened.naive": {"group-snapshot", "retry"},
    "group-snapshot.hardened.careful": {"group-snapshot", "retry"},
    "transaction.hardened.naive": {"group-snapshot", "retry", "switch-many", "give-up"},
    "transaction.hardened.careful": {"group-snapshot", "retry", "switch-many", "give-up"},
}
"""Where the hardened designs claim it."""


@pytest.mark.parametrize("contestant", CONTESTANTS)
def test_the_core_breaks_in_no_drawn_world(contestant: str) -> None:
    @SMALL
    @given(examples(CONTESTANTS[contestant]), st.integers(0, 1000))
    def sound_core(drawn: Drawn, offset: int) -> None:
        start = setting(contestant, drawn.use_case, drawn.world)
        for one in explore(start, None, BROKEN_AT, offset):
            assert one.broken == ()

    sound_core()


@pytest.mark.parametrize("contestant", KEPT)
def test_hardened_designs_keep_their_laws_in_every_drawn_world(contestant: str) -> None:
    mine = examples(CONTESTANTS[contestant]).filter(lambda drawn: drawn.use_case in KEPT[contestant])

    @settings(SMALL, max_examples=10)
    @given(mine, st.integers(0, 1000))
    def kept(drawn: Drawn, offset: int) -> None:
        for one in explore(setting(contestant, drawn.use_case, drawn.world), None, BROKEN_AT, offset):
            hypothesis.note(one.case)
            assert not ALWAYS & set(violated(one)), violated(one)

    kept()


def test_what_the_search_finds_is_shrunk_to_a_small_world_that_shows_it_again() -> None:
    found = search(contestants, "naive-loop.as-posted.naive", 3, 7).sighting
    assert found is not None
    assert (found.world.devices, found.world.depth) == (2, 0)
    start = setting("naive-loop.as-posted.naive", found.use_case, found.world)
    again = violated(judged(attrs.evolve(start, fault=found.fault)))
    assert again[found.law].sentence == found.sentence
