"""What is known of 2012, found again by the lab itself; and what it must not find."""

from collections.abc import Mapping

import pytest

from blockops.lab.faults import GROUPS
from blockops.lab.judging import Judged
from blockops.lab.world import World
from blockops.management.use_cases import USE_CASES
from tests.lab.cases import explore, setting, violated


def sentences(contestant: str, use_case: str, *groups: str, budget: int = 60) -> Mapping[str, list[str]]:
    """Return what the lab says against a contestant, by law."""
    world = World(devices=USE_CASES[use_case].device_counts[0])
    found: dict[str, list[str]] = {}
    for one in explore(setting(contestant, use_case, world), frozenset(groups) or None, budget):
        sound_core(one)
        for law, judgement in violated(one).items():
            found.setdefault(law, []).append(judgement.sentence)
    return found


def sound_core(one: Judged) -> None:
    assert one.broken == ()


@pytest.mark.parametrize("manager", ["naive", "careful"])
def test_the_naive_loop_tears_groups_and_cuts_at_different_instants(manager: str) -> None:
    contestant = f"naive-loop.as-posted.{manager}"
    assert "all-or-nothing" in sentences(contestant, "group-snapshot", "eio")
    assert "one-instant" in sentences(contestant, "group-snapshot", "no-fault", "guest-runs")


@pytest.mark.parametrize("profile", ["as-posted", "hardened"])
@pytest.mark.parametrize("manager", ["naive", "careful"])
def test_the_group_snapshot_s_pivot_never_tears_a_group(profile: str, manager: str) -> None:
    # As posted: see the next tests.  Storage that lies keeps nobody's promises.
    kept = {"dropped", "twice", "rival", "power"} if profile == "hardened" else set()
    faults = (set(GROUPS) - {"dropped", "twice", "rival", "pair", "power", "lying"}) | kept
    found = sentences(f"group-snapshot.{profile}.{manager}", "group-snapshot", *faults, budget=250)
    assert not {"all-or-nothing", "one-instant", "content", "nothing-lost", "truthful"} & set(found)


def test_an_overlay_that_nobody_flushed_is_lost_with_the_pages_that_a_failed_flush_drops() -> None:
    """As posted creating flushes nothing (semantics.md, section 1); QEMU 7.2: after a dropped fdatasync of
    the overlay there is no backing, and the old data cannot be read.
    """
    found = sentences("group-snapshot.as-posted.naive", "group-snapshot", "dropped")
    assert any("after a reopen" in sentence for sentence in found["content"])
    assert "/vm/s0.qcow2: its format is raw instead of qcow2" in found["sound"]
    assert not {"all-or-nothing", "one-instant"} & set(found)


def test_a_snapshot_as_posted_that_is_delivered_twice_wipes_the_overlay_that_it_has_just_made() -> None:
    """An existing file is truncated (semantics.md, section 1), and the device shows it by then."""
    found = sentences("group-snapshot.as-posted.naive", "group-snapshot", "twice")
    assert any("a loop" in sentence for sentence in found["truthful"])
    assert "content" in found
    assert {"content", "truthful"} <= set(
        sentences("group-snapshot.as-posted.naive", "group-snapshot", "rival")
    )
    assert not sentences("group-snapshot.hardened.naive", "group-snapshot", "twice")


def test_the_group_snapshot_as_posted_leaves_overlays_behind() -> None:
    found = sentences("group-snapshot.as-posted.naive", "group-snapshot", "eio", "enospc")
    assert "/vm/s0.qcow2 was left behind" in found["tidy"]


def test_the_group_snapshot_as_posted_wipes_an_existing_file_and_hardened_does_not() -> None:
    found = sentences("group-snapshot.as-posted.naive", "group-snapshot", "occupied")
    assert any("overwritten" in sentence for sentence in found["tidy"])
    assert "tidy" not in sentences("group-snapshot.hardened.naive", "group-snapshot", "occupied")


@pytest.mark.parametrize("profile", ["as-posted", "hardened"])
def test_n_calls_of_drive_migrate_are_not_one_instant(profile: str) -> None:
    paces = ("no-fault", "guest-runs", "guest-lags")
    assert "one-instant" in sentences(f"drive-migrate.{profile}.careful", "migrate-many", *paces)
    for other in ("transaction", "freeze"):
        assert "one-instant" not in sentences(f"{other}.{profile}.careful", "migrate-many", *paces)


def test_a_dead_manager_leaves_frozen_devices_as_posted_and_hardened_thaws_them() -> None:
    found = sentences("freeze.as-posted.careful", "group-snapshot", "manager-dies")
    assert any("held back (freeze)" in sentence for sentence in found["released"])
    assert "released" not in sentences("freeze.hardened.careful", "group-snapshot", "manager-dies")


def test_a_thaw_after_the_manager_s_death_can_publish_half_a_group() -> None:
    found = sentences("freeze.hardened.careful", "group-snapshot", "manager-dies")
    assert "all-or-nothing" in found


def test_close_and_reopen_can_kill_a_device_and_the_pivot_cannot() -> None:
    faults = ("eio", "emfile")
    old = sentences("group-snapshot-v1.as-posted.naive", "group-snapshot", *faults, budget=400)
    assert any("no image" in sentence for sentence in old["all-or-nothing"])
