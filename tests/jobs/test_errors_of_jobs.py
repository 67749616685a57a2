"""What becomes of a mirror, and of the guest, when the source or the target fails.

Source of every claim: QEMU's QAPI schema (`BlockdevOnError`, BLOCK_JOB_ERROR), unless a test says that it
is our choice.
"""

import errno

import pytest

from blockops.jobs.mirror import MirrorJob
from blockops.jobs.state import State
from tests.jobs.mirrors import CLUSTER, SIZE, TARGET, Mirrors, OnError, Sync, break_it, mirrors, query


@pytest.fixture
def here() -> Mirrors:
    return mirrors()


SIDES = [("read", "/vm/d0.qcow2"), ("write", TARGET)]


def start_with(here: Mirrors, operation: str, policy: OnError) -> MirrorJob:
    """Start a mirror with this policy for errors of that side, and "report" for the other."""
    source, target = (policy, OnError.REPORT) if operation == "read" else (OnError.REPORT, policy)
    return here.start(on_source_error=source, on_target_error=target)


@pytest.mark.parametrize(("operation", "path"), SIDES)
def test_report_ends_the_job_and_tells_why(here: Mirrors, operation: str, path: str) -> None:
    start_with(here, operation, OnError.REPORT)
    break_it(here, operation, path)
    here.rest()
    assert here.told[0] == (
        "BLOCK_JOB_ERROR",
        {"device": "d0", "operation": operation, "action": "report"},
    )
    name, data = here.told[1]
    assert name == "BLOCK_JOB_COMPLETED"
    assert "Input/output error" in str(data["error"])
    assert here.world.chain() == ["d0.qcow2"]
    assert here.world.device().user is None


@pytest.mark.parametrize(("operation", "path"), SIDES)
def test_ignore_tries_again(here: Mirrors, operation: str, path: str) -> None:
    start_with(here, operation, OnError.IGNORE)
    break_it(here, operation, path)
    here.rest()
    assert here.events() == ["ERROR", "READY"]
    assert here.copied() == here.shown()


@pytest.mark.parametrize(("operation", "path"), SIDES)
def test_stop_pauses_the_job_and_the_guest_goes_on(here: Mirrors, operation: str, path: str) -> None:
    job = start_with(here, operation, OnError.STOP)
    break_it(here, operation, path)
    here.rest()
    assert (job.state, query(here)[0]["io-status"]) == (State.PAUSED, "failed")
    here.world.device().write(0, b"on and on")
    job.resume()
    here.rest()
    assert (job.state, query(here)[0]["io-status"]) == (State.READY, "ok")
    assert here.copied() == here.shown()


@pytest.mark.parametrize(("code", "state"), [(errno.ENOSPC, State.PAUSED), (errno.EIO, State.NULL)])
def test_enospc_stops_where_the_host_is_full_and_reports_else(here: Mirrors, code: int, state: State) -> None:
    job = here.start(on_target_error=OnError.ENOSPC)
    break_it(here, "write", TARGET, code)
    here.rest()
    assert job.state is state
    assert here.told[0][1]["action"] == ("stop" if state is State.PAUSED else "report")
    assert job.io_status == ("nospace" if state is State.PAUSED else "failed")


@pytest.mark.parametrize("policy", OnError)
@pytest.mark.parametrize("operation", ["write", "flush", "truncate"])
def test_no_error_of_the_target_is_the_guest_s(here: Mirrors, policy: OnError, operation: str) -> None:
    here.start(on_target_error=policy)
    break_it(here, operation, TARGET, times=None)
    for offset in range(0, SIZE, CLUSTER):
        here.steps(7)
        here.world.device().write(offset, b"undisturbed")
        here.world.device().flush()


def test_a_flush_of_the_target_that_fails_at_the_end_lets_the_guest_go_on(here: Mirrors) -> None:
    job = here.start(on_target_error=OnError.STOP)
    here.rest()
    here.world.device().write(0, b"last")
    here.complete(job)
    break_it(here, "flush", TARGET)
    here.rest()
    assert (job.state, here.world.device().holds) == (State.STANDBY, [])
    assert here.world.chain() == ["d0.qcow2"]
    job.resume()
    here.rest()
    assert here.world.chain() == ["dst/t0.qcow2"]


def test_a_flush_of_the_source_that_fails_at_the_end_is_an_error_of_the_source(here: Mirrors) -> None:
    job = here.start(Sync.NONE, on_source_error=OnError.STOP)
    here.rest()
    here.world.device().write(0, b"last")
    here.complete(job)
    break_it(here, "flush", "/vm/d0.qcow2")
    here.rest()
    assert here.told[-1][1]["operation"] == "read"
    assert (job.state, here.world.chain()) == (State.STANDBY, ["d0.qcow2"])
