"""A world can be spelled out in a case id, so that the id alone replays the case anywhere."""

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blockops.errors import InvalidRequest
from blockops.lab.case import Case, parse_case
from blockops.lab.drawn import worlds
from blockops.lab.faults.pace import NoFault
from blockops.lab.judging import judged
from blockops.lab.spelling import spelled, tiny
from blockops.lab.world import VOLUMES, World
from blockops.management.use_cases import USE_CASES
from tests.lab.cases import CONTESTANTS, setting

MOVER = "drive-migrate.hardened.careful"


@given(worlds(st.integers(1, 4), VOLUMES["migrate-many"]))
def test_every_world_that_is_drawn_can_be_read_again(world: World) -> None:
    case = Case(CONTESTANTS[MOVER], USE_CASES["migrate-many"], world, NoFault())
    assert parse_case(case.spelled, CONTESTANTS, {}) == case


def test_few_words_tell_it_from_the_standard_world_or_from_the_smallest() -> None:
    assert spelled(World(devices=3)) == "3"
    assert spelled(World(size=4096, schedule=(0, 1))) == "2~size=4096,schedule=0.1"
    assert spelled(tiny(2)) == "2~tiny"
    assert spelled(attrs.evolve(tiny(1), depth=1)) == "1~tiny,depth=1"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("size", "the world size is not in the report"),
        ("size=4097", "'4097' is no size"),
        ("size=1073741824", "'1073741824' is no size"),
        ("devices=3", "'devices=3' says nothing of a world"),
        ("size=4096,size=8192", "'size=8192' says nothing of a world, or says it twice"),
        ("tiny,", "'' says nothing of a world"),
        ("schedule=0.0", "'0.0' is no schedule"),
        ("schedule=1.1.1.1.1.1.1.1.1", "is no schedule"),
        ("cache=warm", "'warm' is no cache"),
        ("volumes=target", "no target can lie on a volume by itself"),
    ],
)
def test_words_that_spell_no_small_world_are_refused_in_one_sentence(words: str, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says) as caught:
        parse_case(f"{MOVER}/migrate-one-1~{words}/no-fault", CONTESTANTS, {})
    assert "\n" not in str(caught.value)


NUMBERS = {
    "size": st.integers(1, 32).map(lambda sectors: 512 * sectors),
    "cluster_size": st.integers(9, 21).map(lambda bits: 1 << bits),
    "depth": st.integers(0, 4),
    "discard_every": st.integers(0, 32),
    "sectors": st.integers(1, 32),
    "flush_every": st.integers(1, 32),
    "in_flight": st.integers(1, 8),
    "record": st.integers(1, 512),
    "shift": st.integers(0, 511),
}


@settings(max_examples=20, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.fixed_dictionaries({}, optional=NUMBERS).filter(bool))
def test_the_core_holds_in_every_world_that_can_be_spelled(numbers: dict[str, int]) -> None:
    words = ",".join(f"{name}={value}" for name, value in numbers.items())
    contestant = "transaction.hardened.careful"
    world = parse_case(f"{contestant}/group-snapshot-2~{words}/no-fault", CONTESTANTS, {}).world
    assert judged(setting(contestant, "group-snapshot", world)).broken == ()
