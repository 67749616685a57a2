"""Every law can be held, can be violated, and says so where a case does not exercise it.

The evidence comes from real cases; where no short case violates a law, a real case's evidence is
sabotaged: that shows that the oracle looks.
"""

import attrs
import pytest

from blockops.device import Operation
from blockops.errors import HostError
from blockops.lab.evidence import Ending, Evidence, Rest, Shown
from blockops.lab.faults.fault import HostOperation
from blockops.lab.history import GuestError, Written
from blockops.lab.laws import LAWS, judge
from blockops.lab.laws.judgement import Judgement
from blockops.lab.results import Verdict
from blockops.lab.sectors import content_of
from tests.lab.cases import CONTESTANTS, seen, verdicts

RIGHT = "group-snapshot.hardened.naive/group-snapshot-2"
LOOP = "naive-loop.as-posted.naive/group-snapshot-2"


@pytest.fixture
def good() -> Evidence:
    """A case in which everything went well."""
    return seen(f"{RIGHT}/no-fault")


def says(law: str, evidence: Evidence) -> Verdict:
    return judge(evidence)[law].verdict


def sentence(law: str, evidence: Evidence) -> str:
    judgement: Judgement = judge(evidence)[law]
    assert judgement.verdict is Verdict.VIOLATED
    return judgement.sentence


def test_the_laws_are_those_of_the_lab_and_each_is_judged_in_every_case(good: Evidence) -> None:
    assert list(judge(good)) == [law.id for law in LAWS]
    assert all(law.precondition and law.says.endswith(".") for law in LAWS)


def test_a_case_in_which_everything_went_well_violates_nothing(good: Evidence) -> None:
    assert {judgement.verdict for judgement in judge(good).values()} == {Verdict.HELD, Verdict.NOT_EXERCISED}


# -------------------------------------------------------------------------------------- all-or-nothing


def test_one_device_new_and_one_old_is_torn() -> None:
    torn = seen(f"{LOOP}/no-fault")
    assert says("all-or-nothing", torn) is Verdict.HELD
    torn.live = (torn.live[0], attrs.evolve(torn.live[1], top="/vm/d1.qcow2"))
    assert sentence("all-or-nothing", torn) == "d0 is new, d1 is old"


def test_all_old_is_nothing_and_all_new_is_all(good: Evidence) -> None:
    assert says("all-or-nothing", good) is Verdict.HELD
    good.live = tuple(
        attrs.evolve(shown, top=f"/vm/d{number}.qcow2") for number, shown in enumerate(good.live)
    )
    assert says("all-or-nothing", good) is Verdict.HELD


@pytest.mark.parametrize(
    "shown", [Shown(None, problem="it has no medium"), Shown("/vm/s0.qcow2", problem="unreadable")]
)
def test_a_device_without_a_readable_image_is_neither_old_nor_new(good: Evidence, shown: Shown) -> None:
    good.live = (shown, good.live[1])
    assert "d0 is neither" in sentence("all-or-nothing", good)


def test_an_image_that_nobody_wanted_is_neither_old_nor_new(good: Evidence) -> None:
    good.live = (attrs.evolve(good.live[0], top="/vm/elsewhere"), good.live[1])
    assert says("all-or-nothing", good) is Verdict.VIOLATED


def test_one_device_cannot_tear_and_a_command_that_was_never_sent_neither(good: Evidence) -> None:
    alone = seen("transaction.hardened.naive/migrate-one-1/no-fault")
    assert says("all-or-nothing", alone) is Verdict.NOT_EXERCISED
    good.exchanges.clear()
    assert says("all-or-nothing", good) is Verdict.NOT_EXERCISED


# ----------------------------------------------------------------------------------------- one-instant


def test_a_later_write_without_the_earlier_one_is_not_one_instant(good: Evidence) -> None:
    assert says("one-instant", good) is Verdict.HELD
    good.instants = {**good.instants, 0: good.initial[0]}
    assert "lacks write" in sentence("one-instant", good)


@pytest.mark.parametrize(
    ("inside", "submitted", "verdict"),
    [
        ((True, True), 2, Verdict.NOT_EXERCISED),
        ((True, False), 2, Verdict.HELD),
        ((False, True), 2, Verdict.VIOLATED),
        ((False, False), 2, Verdict.NOT_EXERCISED),
        ((False, True), 0, Verdict.NOT_EXERCISED),
    ],
    ids=["both", "earlier", "later", "neither", "later, but they were in flight together"],
)
def test_of_two_writes_the_images_hold_the_earlier_one_first(
    good: Evidence, inside: tuple[bool, bool], submitted: int, verdict: Verdict
) -> None:
    good.history.writes = [
        Written(1, 0, 0, content_of(0, 0, 1, 1), 0, acknowledged=1),
        Written(2, 1, 0, content_of(1, 0, 1, 2), submitted),
    ]
    good.instants = {
        device: (content_of(device, 0, 1, device + 1) if held else good.initial[device][:512])
        + good.initial[device][512:]
        for device, held in enumerate(inside)
    }
    assert says("one-instant", good) is verdict


def test_nothing_straddles_images_that_hold_nothing_or_a_single_one(good: Evidence) -> None:
    single = {0: good.instants[0]}
    good.history.writes.clear()
    assert says("one-instant", good) is Verdict.NOT_EXERCISED
    good.instants = single
    assert says("one-instant", good) is Verdict.NOT_EXERCISED


@pytest.mark.parametrize("contestant", CONTESTANTS)
@pytest.mark.parametrize("devices", [2, 3])
def test_one_instant_is_exercised_by_every_contestant_without_any_fault(
    contestant: str, devices: int
) -> None:
    found = verdicts(f"{contestant}/group-snapshot-{devices}/no-fault")["one-instant"]
    assert found.verdict is not Verdict.NOT_EXERCISED


# --------------------------------------------------------------------------------------------- content


def test_a_sector_with_another_write_or_somebody_s_bytes_is_wrong_content(good: Evidence) -> None:
    assert says("content", good) is Verdict.HELD
    last = good.history.writes[-1]
    strange = bytearray(good.live[last.device].data)
    strange[last.start] ^= 0xFF
    good.live = replaced(good.live, last.device, bytes(strange))
    assert "holds bytes that nobody wrote there live" in sentence("content", good)


def test_an_older_write_is_wrong_content_and_a_concurrent_one_is_not(good: Evidence) -> None:
    last = good.history.writes[-1]
    good.live = replaced(good.live, last.device, good.initial[last.device])
    assert says("content", good) is Verdict.VIOLATED
    good.reopened = replaced(good.reopened, last.device, good.initial[last.device])
    for written in good.history.writes:
        if written.device == last.device:
            written.acknowledged = None
    assert says("content", good) is Verdict.HELD


def test_content_is_judged_after_a_reopen_as_well(good: Evidence) -> None:
    good.reopened = (attrs.evolve(good.reopened[0], data=bytes(len(good.reopened[0].data))), good.reopened[1])
    assert "after a reopen" in sentence("content", good)


def test_another_size_is_wrong_content(good: Evidence) -> None:
    good.live = (attrs.evolve(good.live[0], size=good.live[0].size + 512), good.live[1])
    assert sentence("content", good) == f"d0 has {good.live[0].size} bytes live instead of {good.sizes[0]}"


def test_a_read_that_did_not_return_the_write_before_it_is_wrong_content(good: Evidence) -> None:
    good.history.misread.append("d0 did not return write 3")
    assert sentence("content", good) == "d0 did not return write 3"


# ---------------------------------------------------------------------------------------- nothing-lost


def test_an_acknowledged_write_that_is_gone_is_lost(good: Evidence) -> None:
    assert says("nothing-lost", good) is Verdict.HELD
    last = good.history.writes[-1]
    good.live = replaced(good.live, last.device, good.initial[last.device])
    assert "acknowledged, is not readable" in sentence("nothing-lost", good)


def test_after_a_kill_only_what_was_flushed_is_owed() -> None:
    killed = seen(f"{RIGHT}/kill@step-46")
    assert killed.killed
    assert says("nothing-lost", killed) is Verdict.HELD
    flushed = next(written for written in killed.history.writes if written.durable is not None)
    killed.reopened = replaced(killed.reopened, flushed.device, killed.initial[flushed.device])
    assert "acknowledged and flushed, is not readable" in sentence("nothing-lost", killed)
    for written in killed.history.writes:
        written.durable = None
    assert says("nothing-lost", killed) is Verdict.NOT_EXERCISED


def test_where_nothing_was_promised_nothing_can_be_lost(good: Evidence) -> None:
    good.history.writes.clear()
    assert says("nothing-lost", good) is Verdict.NOT_EXERCISED


# ----------------------------------------------------------------------------------- guest-undisturbed


def test_a_guest_request_that_fails_for_the_operation_s_fault_is_disturbed(good: Evidence) -> None:
    assert says("guest-undisturbed", good) is Verdict.HELD
    good.history.errors.append(GuestError(9, 0, Operation.WRITE, HostError("write", "/vm/s0.qcow2", 5)))
    assert "a write of the guest on d0 failed" in sentence("guest-undisturbed", good)


def test_a_fault_of_the_guest_s_own_request_disturbs_nobody_and_a_killed_one_has_no_requests() -> None:
    own = next(
        evidence
        for number in range(1, 60)
        if (evidence := seen(f"{RIGHT}/eio@{number}")).own_hits and evidence.history.errors
    )
    assert says("guest-undisturbed", own) is Verdict.NOT_EXERCISED
    assert says("guest-undisturbed", seen(f"{RIGHT}/kill@step-30")) is Verdict.NOT_EXERCISED


# -------------------------------------------------------------------------------------------- released


@pytest.mark.parametrize(
    "rest",
    [
        Rest(held_back=("d0 is held back (freeze), 1 requests wait",)),
        Rest(reserved=("d0 is reserved by the open transaction",)),
        Rest(handles=("/vm/s0.qcow2 is held open by nobody",)),
    ],
    ids=["held back", "reserved", "handle"],
)
def test_whatever_is_still_held_is_not_released(good: Evidence, rest: Rest) -> None:
    assert says("released", good) is Verdict.HELD
    good.rest = rest
    assert says("released", good) is Verdict.VIOLATED


def test_management_that_still_waits_has_not_been_released(good: Evidence) -> None:
    good.ending = Ending.STUCK
    assert says("released", good) is Verdict.VIOLATED


def test_a_dead_hypervisor_holds_nothing_and_an_idle_one_was_never_asked(good: Evidence) -> None:
    assert says("released", seen(f"{RIGHT}/kill@step-30")) is Verdict.NOT_EXERCISED
    good.exchanges.clear()
    good.gate_closed = False
    assert says("released", good) is Verdict.NOT_EXERCISED


# ----------------------------------------------------------------------------------------------- sound


def test_an_image_that_is_missing_or_corrupt_is_not_sound(good: Evidence) -> None:
    assert says("sound", good) is Verdict.HELD
    disk = good.disk.fork()
    disk.unlink("/vm/s0.qcow2")
    good.disk = disk
    assert sentence("sound", good) == "/vm/s0.qcow2 is missing"


@pytest.mark.parametrize(
    ("name", "what"), [("/vm/d1.qcow2", "backing"), ("/vm/management/machine.json", "format")]
)
def test_an_owed_image_is_what_was_intended(good: Evidence, name: str, what: str) -> None:
    disk = good.disk.fork()
    disk.rename(name, "/vm/s1.qcow2")
    good.disk, good.live = disk, (good.live[0], Shown(None))
    assert f"its {what} is" in sentence("sound", good)


# ------------------------------------------------------------------------------------------------ tidy


def test_a_file_too_many_and_a_file_too_few_are_not_tidy(good: Evidence) -> None:
    assert says("tidy", good) is Verdict.HELD
    before = good.digests_after
    good.digests_after = {**before, "/vm/left": b""}
    assert sentence("tidy", good) == "/vm/left was left behind"
    good.digests_after, good.digests_before = before, {**good.digests_before, "/vm/base": b"x"}
    assert sentence("tidy", good) == "/vm/base, which was there before, is gone"
    good.digests_after = {**before, "/vm/base": b"y"}
    assert sentence("tidy", good) == "/vm/base, which was there before, was overwritten"


def test_a_leftover_whose_removal_failed_is_excused_where_the_error_names_it(good: Evidence) -> None:
    good.digests_after = {**good.digests_after, "/vm/left": b""}
    good.hits = (HostOperation(9, "hypervisor", "unlink", "/vm/left"),)
    assert says("tidy", good) is Verdict.VIOLATED
    good.failure = "could not remove /vm/left"
    assert says("tidy", good) is Verdict.HELD


def test_where_management_died_nobody_can_be_tidy() -> None:
    assert says("tidy", seen(f"{RIGHT}/manager-dies@2")) is Verdict.NOT_EXERCISED


# --------------------------------------------------------------------------------------------- pieces


def replaced(views: tuple[Shown, ...], device: int, data: bytes) -> tuple[Shown, ...]:
    return tuple(
        attrs.evolve(shown, data=data) if number == device else shown for number, shown in enumerate(views)
    )
