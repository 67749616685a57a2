"""Devices that are not there, not fit, or come and go while a group of them is changed."""

from collections.abc import Iterator

import attrs
import pytest

from blockops.lab.condition import Condition
from blockops.lab.evidence import Ending, Evidence
from blockops.lab.exploring import record, space
from blockops.lab.faults.device import JOB, NEWCOMER
from blockops.lab.judging import evidence_of
from blockops.lab.laws.atomicity import all_or_nothing, device_states, members
from blockops.lab.results import Verdict
from blockops.lab.world import World
from blockops.management.contestant import Inexpressible
from blockops.management.desk import Replied
from blockops.management.use_cases import USE_CASES
from tests.lab.cases import CONTESTANTS, case, seen, setting, verdicts

SERVERS = ("group-snapshot", "transaction", "group-snapshot-v1")
"""Those whose server changes the group as a whole."""


def errors(evidence: Evidence) -> list[str]:
    answers = [exchange.answer for exchange in evidence.exchanges]
    return [answer.desc or "" for answer in answers if isinstance(answer, Replied) and not answer.ok]


# ---------------------------------------------------------------------------------- from the beginning

EXPECTED = {"unplugged": "not found", "no-medium": "medium", "busy": "in use"}


@pytest.mark.parametrize("name", CONTESTANTS)
@pytest.mark.parametrize("fault", EXPECTED)
def test_a_command_says_of_a_device_why_it_cannot_have_it(name: str, fault: str) -> None:
    evidence = seen(f"{name}/group-snapshot-2/{fault}@d1")
    first = errors(evidence)[0]
    assert "d1" in first
    assert EXPECTED[fault] in first
    assert evidence.ending is Ending.FAILED
    assert verdicts(f"{name}/group-snapshot-2/{fault}@d1")["names-the-culprit"].verdict is Verdict.HELD


@pytest.mark.parametrize("name", CONTESTANTS)
def test_a_device_that_its_guest_may_only_read_takes_a_snapshot_like_any_other(name: str) -> None:
    evidence = seen(f"{name}/group-snapshot-2/read-only@d1")
    assert evidence.ending is Ending.SUCCEEDED
    assert device_states(evidence) == ("new", "new")


@pytest.mark.parametrize("fault", EXPECTED)
def test_a_device_that_never_was_fit_is_old(fault: str) -> None:
    assert device_states(seen(f"group-snapshot.hardened.naive/group-snapshot-2/{fault}@d1")) == ("old", "old")


CAREFUL = [
    f"{name}/{use_case}-2"
    for name, contestant in CONTESTANTS.items()
    for use_case in ("group-snapshot", "migrate-many", "mirror-many", "give-up")
    if name.endswith("careful") and not isinstance(contestant.program(use_case), Inexpressible)
]


@pytest.mark.parametrize("device", [0, 1])
@pytest.mark.parametrize("name", CAREFUL)
def test_the_careful_put_no_image_into_a_drive_that_was_empty(name: str, device: int) -> None:
    evidence = seen(f"{name}/no-medium@d{device}")
    assert evidence.live[device].top is None


@pytest.mark.parametrize("fault", ["no-medium@d0", "no-medium@d1", "unplugged@d0", "unplugged@d1"])
@pytest.mark.parametrize("name", CAREFUL)
def test_the_careful_leave_no_files_for_a_device_that_showed_nothing_from_the_start(
    name: str, fault: str
) -> None:
    assert verdicts(f"{name}/{fault}")["tidy"].verdict is Verdict.HELD


def test_a_drive_that_was_empty_and_shows_its_old_image_is_in_neither_state() -> None:
    case_id = "transaction.hardened.naive/group-snapshot-2/no-medium@d0"
    evidence = evidence_of(case(case_id))
    assert device_states(evidence) == ("old", "old")
    shown = evidence.live[1]
    (top,) = evidence.case.expectations[0].old_tops
    evidence.live = (attrs.evolve(shown, top=top), shown)
    assert device_states(evidence) == ("neither", "old")
    assert all_or_nothing(evidence).verdict is Verdict.VIOLATED


def test_the_job_that_reserves_a_device_is_not_left_behind_by_the_operation() -> None:
    found = verdicts("group-snapshot.hardened.naive/group-snapshot-2/busy@d1")
    assert found["released"].verdict is Verdict.HELD
    assert JOB in errors(seen("group-snapshot.hardened.naive/group-snapshot-2/busy@d1"))[0]


@pytest.mark.parametrize("fault", ["unplugged", "no-medium", "read-only", "busy"])
def test_a_guest_is_not_disturbed_on_the_devices_that_are_as_they_should_be(fault: str) -> None:
    text = f"transaction.hardened.careful/group-snapshot-2/{fault}@d1"
    evidence = seen(text)
    assert {error.device for error in evidence.history.errors} <= {1}
    assert verdicts(text)["guest-undisturbed"].verdict is Verdict.HELD


# --------------------------------------------------------------------------------------------- midway


def membership(name: str, devices: int = 3) -> Iterator[Evidence]:
    """Run every case of the use case membership of one contestant."""
    start = setting(name, "membership", World(devices=devices))
    for fault in space(start, record(start), None, complete=True).faults:
        yield evidence_of(attrs.evolve(start, fault=fault))


def test_membership_meets_every_step_with_each_device_and_with_one_more_and_nothing_else() -> None:
    start = setting("group-snapshot.hardened.naive", "membership", World(devices=3))
    recording = record(start)
    found = space(start, recording, None, complete=False)
    names = {str(fault) for fault in found.faults}
    steps = range(1, recording.operation_steps + 1)
    assert names == {
        "no-fault",
        *(f"added@step-{step}" for step in steps),
        *(f"unplugged@d{device}:step-{step}" for step in steps for device in range(3)),
    }
    assert (found.points, found.all_points) == (0, 0)


def test_devices_come_and_go_in_no_other_use_case() -> None:
    start = setting("group-snapshot.hardened.naive", "group-snapshot", World(devices=2))
    faults = space(start, record(start), None, complete=True).faults
    assert not any(fault.changes_membership for fault in faults)


@pytest.mark.parametrize("name", [name for name in CONTESTANTS if name.split(".")[0] in SERVERS])
def test_where_the_server_changes_the_group_the_remaining_devices_stay_alike(name: str) -> None:
    for evidence in membership(name):
        assert len(set(members(evidence))) == 1, evidence.case.id


@pytest.mark.parametrize("name", CONTESTANTS)
def test_a_success_means_that_the_device_was_new_when_it_went(name: str) -> None:
    for evidence in membership(name):
        if evidence.ending is Ending.SUCCEEDED:
            assert set(device_states(evidence)) == {"new"}, evidence.case.id


def test_what_was_promised_on_a_device_is_on_the_disk_after_it_went() -> None:
    evidence = seen("group-snapshot.hardened.careful/membership-3/unplugged@d1:step-20")
    assert evidence.conditions == {1: Condition.GONE}
    assert evidence.live[1].data == evidence.reopened[1].data != b""
    assert {error.device for error in evidence.history.errors} == {1}


def test_between_a_close_and_an_open_a_device_leaves_the_image_that_it_had() -> None:
    shown = {
        evidence.live[0].top
        for evidence in membership("naive-loop.as-posted.naive")
        if evidence.conditions.get(0) is Condition.GONE
    }
    assert shown == {"/vm/d0.qcow2", "/vm/s0.qcow2"}


@pytest.mark.parametrize("name", CONTESTANTS)
def test_a_newcomer_is_left_alone_and_can_be_used_afterwards(name: str) -> None:
    for evidence in membership(name, devices=1):
        if evidence.case.fault.group == "added":
            assert (
                evidence.digests_before[f"/vm/{NEWCOMER}.qcow2"]
                == (evidence.digests_after[f"/vm/{NEWCOMER}.qcow2"])
            )
            assert evidence.stuck == (), evidence.case.id


# -------------------------------------------------------------------------------------- how many devices

EXPRESSIBLE = [
    (name, use_case)
    for name, contestant in CONTESTANTS.items()
    for use_case in USE_CASES
    if not isinstance(contestant.program(use_case), Inexpressible)
]


@pytest.mark.parametrize(("name", "use_case"), EXPRESSIBLE)
def test_every_use_case_works_for_any_number_of_devices(name: str, use_case: str) -> None:
    for devices in (1, 2, 5, 8):
        evidence = evidence_of(setting(name, use_case, World(devices=devices)))
        assert evidence.ending is Ending.SUCCEEDED, evidence.failure
        assert set(device_states(evidence)) == {"new"}


@pytest.mark.parametrize("name", ["transaction.hardened.careful", "recorded-transaction.hardened.naive"])
@pytest.mark.parametrize("use_case", ["mirror-many", "mixed", "membership"])
def test_a_hundred_and_twenty_eight_devices_are_no_trouble(name: str, use_case: str) -> None:
    evidence = evidence_of(setting(name, use_case, World(devices=128)))
    assert evidence.ending is Ending.SUCCEEDED, evidence.failure
    assert set(device_states(evidence)) == {"new"}


def test_a_case_with_a_device_that_the_world_does_not_have_strikes_nothing() -> None:
    start = case("group-snapshot.hardened.naive/group-snapshot-2/unplugged@d7")
    assert start.fault not in space(start, record(start), None, complete=True).faults
