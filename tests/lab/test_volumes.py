"""Use cases whose new images lie on fixed volumes: the same is expected of them, and tidy leaves them be."""

import attrs
import pytest

from blockops.lab.exploring import record, space
from blockops.lab.faults import parse_fault
from blockops.lab.judging import evidence_of, judged
from blockops.lab.results import Verdict
from blockops.lab.world import VOLUMES, World, as_dict, from_dict
from blockops.management.contestant import Inexpressible
from blockops.management.use_cases import USE_CASES
from tests.lab.cases import CONTESTANTS, setting, violated

RIGHT = "transaction.hardened.careful"
SETTINGS = [
    (contestant.id, use_case)
    for contestant in CONTESTANTS.values()
    for use_case in VOLUMES
    if not isinstance(contestant.program(use_case), Inexpressible)
]


def world(use_case: str, *, volumes: bool) -> World:
    devices = USE_CASES[use_case].device_counts[0]
    return World(devices=devices, volumes=VOLUMES[use_case] if volumes else ())


@pytest.mark.parametrize(("contestant", "use_case"), SETTINGS)
def test_without_a_fault_volumes_and_files_come_to_the_same(contestant: str, use_case: str) -> None:
    found = [judged(setting(contestant, use_case, world(use_case, volumes=there))) for there in (True, False)]
    assert [one.broken for one in found] == [(), ()]
    on_volumes, on_files = (set(violated(one)) for one in found)
    assert on_volumes == on_files


@pytest.mark.parametrize("use_case", VOLUMES)
def test_with_any_error_a_volume_stays_where_it_was_and_is_no_leftover(use_case: str) -> None:
    start = setting(RIGHT, use_case, world(use_case, volumes=True))
    names = start.world.volume_names()
    found = space(start, record(start), frozenset({"eio", "enospc"}), complete=True).faults
    for fault in found[:: len(found) // 30]:
        evidence = evidence_of(attrs.evolve(start, fault=fault))
        assert names <= set(evidence.digests_after)
        assert evidence.broken == ()
    tidy = judged(start).judgements["tidy"]
    assert tidy.verdict is Verdict.HELD


def test_somebody_else_s_file_cannot_lie_where_a_volume_is() -> None:
    start = setting(RIGHT, "switch-many", world("switch-many", volumes=True))
    assert space(start, record(start), frozenset({"occupied"}), complete=True).faults == ()


def test_a_full_volume_is_an_error_and_not_a_loss() -> None:
    start = setting(RIGHT, "switch-many", world("switch-many", volumes=True))
    found = judged(attrs.evolve(start, fault=parse_fault("enospc+@12")))
    assert not {"content", "nothing-lost", "sound"} & set(violated(found))


def test_a_world_with_volumes_is_named_and_comes_back() -> None:
    one = world("migrate-one", volumes=True)
    assert not one.standard
    assert from_dict(as_dict(one)) == one
    assert one.volume_names() == {"/vm/dst/s0.qcow2", "/vm/dst/d0.qcow2"}
