"""What each use case declares, as the laws read it."""

import pytest

from blockops.management.use_cases import USE_CASES, OwedFile, UseCase
from blockops.management.wish import Goal
from tests.management.scene import disk_wish

DISK = disk_wish(0)


def test_the_use_cases_are_those_of_the_lab_in_its_order() -> None:
    assert list(USE_CASES) == [
        "group-snapshot", "migrate-one", "migrate-many", "mirror-many", "switch-many", "mixed", "give-up",
        "retry", "membership",
    ]  # fmt: skip


@pytest.mark.parametrize("use_case", USE_CASES.values(), ids=list(USE_CASES))
def test_a_new_top_is_owed_or_was_there_before(use_case: UseCase) -> None:
    expected = use_case.expectations((DISK,))[0]
    owed = {file.path for file in expected.owed}
    beside_a_mirror = set() if expected.mirrored_onto is None else {DISK.overlay}
    assert set(expected.new_tops) <= owed | {DISK.old.path} | beside_a_mirror
    assert not owed & set(expected.removed)


@pytest.mark.parametrize("use_case", USE_CASES.values(), ids=list(USE_CASES))
def test_only_giving_up_has_an_old_state_that_is_new(use_case: UseCase) -> None:
    expected = use_case.expectations((DISK,))[0]
    same = expected.old_tops == expected.new_tops and expected.mirrored_onto is None
    assert same is (use_case.id == "give-up")


def test_each_disk_of_a_mixed_wish_has_a_goal_of_its_own() -> None:
    wish = USE_CASES["mixed"].wish(tuple(map(disk_wish, range(5))))
    snapshot, mirror, prepared = Goal.SNAPSHOT, Goal.MIRROR, Goal.PREPARED
    assert [disk.goal for disk in wish.disks] == [snapshot, mirror, prepared, snapshot, snapshot]
    assert [disk.device for disk in wish.only(snapshot, prepared).disks] == ["d0", "d2", "d3", "d4"]


def test_a_migration_may_end_on_the_source_with_its_overlay() -> None:
    expected = USE_CASES["migrate-one"].expectations((DISK,))[0]
    overlay = OwedFile("/vm/s0.qcow2", "qcow2", "/vm/d0.qcow2", "qcow2")
    assert expected.old_tops == ("/vm/d0.qcow2", "/vm/s0.qcow2")
    assert expected.may_remain_after_error == (overlay,)
    assert expected.removed == ("/vm/s0.qcow2", "/vm/d0.qcow2")


def test_a_wish_keeps_the_order_of_its_disks() -> None:
    disks = (disk_wish(1), disk_wish(0))
    assert USE_CASES["retry"].wish(disks).disks == disks
