"""Laws about what is said, of a live graph and of a retry: each held, violated and not exercised."""

import errno

import attrs
import pytest

from blockops.lab.evidence import Ending, Evidence, Exchange, Shown
from blockops.lab.faults.fault import HostOperation
from blockops.lab.faults.host import HostFault
from blockops.lab.faults.kinds import Kind
from blockops.lab.faults.surroundings import Occupied
from blockops.lab.laws import judge
from blockops.lab.laws.judgement import Judgement
from blockops.lab.results import Verdict
from blockops.management.desk import Lost, Replied
from tests.lab.cases import seen

RIGHT = "group-snapshot.hardened.naive/group-snapshot-2"


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


# -------------------------------------------------------------------------------------------- truthful


def test_success_without_effect_is_a_lie(good: Evidence) -> None:
    assert says("truthful", good) is Verdict.HELD
    good.live = (attrs.evolve(good.live[0], top="/vm/d0.qcow2"), good.live[1])
    assert sentence("truthful", good) == "every command succeeded, and d0 shows /vm/d0.qcow2"


def test_success_that_does_not_last_is_a_lie(good: Evidence) -> None:
    good.reopened = (Shown("/vm/s0.qcow2", problem="gone"), good.reopened[1])
    assert "does not open again" in sentence("truthful", good)


def test_an_error_after_which_a_device_has_changed_is_a_lie(good: Evidence) -> None:
    good.ending = Ending.FAILED
    good.exchanges = [refused(("/vm/d0.qcow2", "/vm/d1.qcow2"), ("/vm/s0.qcow2", "/vm/d1.qcow2"))]
    assert "d0 shows /vm/s0.qcow2 instead of /vm/d0.qcow2" in sentence("truthful", good)
    good.exchanges = [refused(("/vm/d0.qcow2", "/vm/d1.qcow2"), ("/vm/d0.qcow2", "/vm/d1.qcow2"))]
    assert says("truthful", good) is Verdict.HELD


def test_no_reply_is_no_lie(good: Evidence) -> None:
    good.exchanges = [Exchange("x", {}, (None, None), (None, None), answer) for answer in (None, Lost())]
    assert says("truthful", good) is Verdict.NOT_EXERCISED


# ----------------------------------------------------------------------------------- names-the-culprit

HIT = HostOperation(3, "hypervisor", "create", "/vm/s0.qcow2")


@pytest.mark.parametrize(
    ("desc", "missing"),
    [
        ("Device 'd0': /vm/s0.qcow2: Input/output error", None),
        ("Device 'd0': Input/output error", "the file"),
        ("/vm/s0.qcow2: Input/output error", "the device"),
        ("Device 'd0': /vm/s0.qcow2", "the cause"),
        ("Devices 'd0' and 'd1': /vm/s0.qcow2: Input/output error", "innocent"),
        ("Device 'd0' after d1 : /vm/s0.qcow2: Input/output error", "innocent"),
        ("Device 'd0': /vm/dst/s0.qcow2: Input/output error", "the file"),
    ],
)
def test_an_error_names_device_file_and_cause_and_nobody_else(
    good: Evidence, desc: str, missing: str | None
) -> None:
    good.case = attrs.evolve(good.case, fault=HostFault(Kind.EIO, 3))
    exchange = refused((None, None), (None, None), desc)
    exchange.hits = (attrs.evolve(HIT, code=errno.EIO),)
    good.exchanges = [exchange]
    judgement = judge(good)["names-the-culprit"]
    assert judgement.verdict is (Verdict.VIOLATED if missing else Verdict.HELD)
    assert (missing or "") in judgement.sentence


def test_an_error_that_the_fault_did_not_cause_has_no_culprit(good: Evidence) -> None:
    assert says("names-the-culprit", good) is Verdict.NOT_EXERCISED
    good.case = attrs.evolve(good.case, fault=HostFault(Kind.EIO, 3))
    good.exchanges = [refused((None, None), (None, None))]
    assert says("names-the-culprit", good) is Verdict.NOT_EXERCISED


# ----------------------------------------------------------------------------------- same-after-reopen


def test_another_chain_after_a_reopen_is_seen(good: Evidence) -> None:
    assert says("same-after-reopen", good) is Verdict.HELD
    good.reopened = (attrs.evolve(good.reopened[0], chain=("/vm/s0.qcow2",)), good.reopened[1])
    assert "after a reopen on /vm/s0.qcow2" in sentence("same-after-reopen", good)


def test_a_live_device_that_does_not_open_again_is_seen(good: Evidence) -> None:
    good.reopened = (Shown("/vm/s0.qcow2", problem="gone"), good.reopened[1])
    assert "does not open again: gone" in sentence("same-after-reopen", good)


def test_after_a_kill_there_is_no_live_chain_to_compare() -> None:
    assert says("same-after-reopen", seen(f"{RIGHT}/kill@step-30")) is Verdict.NOT_EXERCISED


# ------------------------------------------------------------------------------------------ repeatable

RETRY = "group-snapshot.hardened.naive/retry-2"


def retried() -> Evidence:
    return next(
        evidence for number in range(1, 40) if len((evidence := seen(f"{RETRY}/eio@{number}")).exchanges) > 1
    )


def test_a_second_attempt_ends_as_a_first_success_would() -> None:
    again = retried()
    assert says("repeatable", again) is Verdict.HELD
    again.ending, again.failure = Ending.FAILED, "it exists"
    assert sentence("repeatable", again).endswith("it exists")


def test_a_second_attempt_under_the_same_trouble_says_nothing() -> None:
    again = retried()
    again.case = attrs.evolve(again.case, fault=Occupied("d0"))
    assert says("repeatable", again) is Verdict.NOT_EXERCISED
    again = retried()
    again.hits = again.hits * 2
    assert says("repeatable", again) is Verdict.NOT_EXERCISED


def test_a_first_success_is_not_repeated_and_other_use_cases_do_not_retry(good: Evidence) -> None:
    assert says("repeatable", seen(f"{RETRY}/no-fault")) is Verdict.NOT_EXERCISED
    assert says("repeatable", good) is Verdict.NOT_EXERCISED


def refused(before: tuple[str | None, ...], after: tuple[str | None, ...], desc: str = "no") -> Exchange:
    return Exchange("blockdev-x", {}, before, after, Replied(False, None, "GenericError", desc))
