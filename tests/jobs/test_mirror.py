"""The mirror, step by step.

Source of every claim: QEMU's QAPI schema (`drive-mirror`, `block-job-cancel`, `block-job-complete`,
`BlockdevOnError`, the BLOCK_JOB events), unless a test says that it is our choice.
"""

import pytest

from blockops.commands.mirror_job import DriveMirrorJob, start_mirror
from blockops.device import Operation, Request, drain, resume
from blockops.errors import DeviceInUse, OpenFileFailed
from blockops.graph.node import ImageNode
from blockops.jobs.state import IllegalMove, State
from blockops.steps import run
from tests.commands.worlds import error_of
from tests.jobs.mirrors import CLUSTER, SIZE, TARGET, Mirrors, Mode, Profile, Sync, mirrors, query

BOTH = pytest.mark.parametrize("profile", Profile)


@pytest.fixture
def here() -> Mirrors:
    return mirrors()


def snapshot_over(here: Mirrors) -> None:
    """Put an overlay on d0 whose second cluster alone is its own."""
    world = here.world
    world.create("/vm/s0.qcow2", backing_file="/vm/d0.qcow2", backing_format="qcow2")
    world.machine.graph.tops["d0"] = None
    world.machine.graph.collect()
    del world.machine.devices["d0"]
    world.machine.attach("d0", "/vm/s0.qcow2", "qcow2").write(CLUSTER, b"top")
    world.device().flush()


# --------------------------------------------------------------------------------------- its course


@BOTH
def test_a_full_mirror_copies_all_and_is_ready_and_goes_on(profile: Profile) -> None:
    here = mirrors(profile)
    job = here.start(Sync.FULL)
    assert (job.state, here.events()) == (State.RUNNING, [])
    here.rest()
    assert (job.state, here.events()) == (State.READY, ["READY"])
    here.world.device().write(5, b"later")
    here.rest()
    assert here.events() == ["READY"]
    assert here.copied() == here.shown()


@BOTH
def test_completing_shows_the_target_and_lets_go_of_the_source(profile: Profile) -> None:
    here = mirrors(profile)
    job = here.start()
    here.rest()
    here.complete(job)
    assert here.world.chain() == ["d0.qcow2"], "the answer comes before the switch"
    here.rest()
    assert here.world.chain() == ["dst/t0.qcow2"]
    assert (here.events(), job.state) == (["READY", "COMPLETED"], State.NULL)
    assert here.world.device().user is None
    assert here.world.handles() == [TARGET]


def test_ready_and_completed_say_how_far_it_got(here: Mirrors) -> None:
    here.start()
    here.rest()
    name, data = here.told[-1]
    assert name == "BLOCK_JOB_READY"
    assert data == {"type": "mirror", "device": "d0", "len": SIZE, "offset": SIZE, "speed": 0}


def test_a_job_reserves_its_device(here: Mirrors) -> None:
    here.start()
    with pytest.raises(DeviceInUse, match="its mirror job"):
        here.start(target="/vm/dst/other.qcow2")


# ------------------------------------------------------------------------------------ what is copied


@BOTH
def test_sync_top_copies_the_top_alone_over_what_it_rests_on(profile: Profile) -> None:
    here = mirrors(profile)
    snapshot_over(here)
    here.start(Sync.TOP)
    here.rest()
    assert here.told[-1][1]["len"] == CLUSTER
    assert here.world.recorded(TARGET) == ("/vm/d0.qcow2", "qcow2")
    assert here.copied() == here.shown()


def test_sync_top_without_a_backing_is_full(here: Mirrors) -> None:
    here.start(Sync.TOP)
    here.rest()
    assert here.world.recorded(TARGET) is None
    assert here.copied() == here.shown()


@BOTH
def test_sync_none_copies_what_is_written_from_now_on_over_the_source(profile: Profile) -> None:
    here = mirrors(profile)
    job = here.start(Sync.NONE)
    here.rest()
    assert here.world.recorded(TARGET) == ("/vm/d0.qcow2", "qcow2")
    here.world.device().write(0, b"new")
    here.rest()
    assert job.offset == CLUSTER
    assert here.copied()[:3] == b"new"
    here.complete(job)
    here.rest()
    assert here.world.chain() == ["dst/t0.qcow2", "d0.qcow2"]


def test_an_existing_target_is_opened_and_not_made_anew(here: Mirrors) -> None:
    here.world.create(TARGET, cluster_size=65536)
    here.start(mode=Mode.EXISTING)
    here.rest()
    assert ("create", TARGET) not in here.world.host.log
    assert here.copied() == here.shown()


def test_a_target_of_raw_format_gets_everything(here: Mirrors) -> None:
    job = here.start(target="/vm/dst/t0.raw", format="raw")
    here.rest()
    here.complete(job)
    here.rest()
    assert here.world.content("/vm/dst/t0.raw", SIZE) == here.shown()


def test_the_target_of_the_source_s_format_is_made_where_none_is_said(here: Mirrors) -> None:
    assert here.start().node.target.format == "qcow2"


@pytest.mark.parametrize("write_at", ["before the read", "between read and write", "after the write"])
def test_what_the_guest_writes_while_it_is_copied_is_copied_again(here: Mirrors, write_at: str) -> None:
    job = here.start()
    here.steps({"before the read": 0, "between read and write": 1, "after the write": 2}[write_at])
    here.world.device().write(1, b"meanwhile")
    here.rest()
    here.complete(job)
    here.rest()
    assert here.shown()[1:10] == b"meanwhile"


def test_a_failed_write_of_the_guest_is_copied_again_for_it_may_have_changed_something(here: Mirrors) -> None:
    job = here.start()
    here.rest()
    here.world.host.fail("write", "/vm/d0.qcow2", times=1)
    request = Request(Operation.WRITE, 0, 3, b"new")
    here.world.device().submit(request)
    here.world.device().complete(request)
    assert request.error is not None
    assert job.node.dirty.count == 1


# ------------------------------------------------------------------------------------------- the end


def test_completing_before_it_is_ready_is_refused(here: Mirrors) -> None:
    job = here.start()
    with pytest.raises(IllegalMove, match="is running and cannot be completed"):
        here.complete(job)
    assert not job.completing


def test_completing_opens_the_target_s_backing_and_goes_on_if_that_fails(here: Mirrors) -> None:
    snapshot_over(here)
    here.world.create(TARGET, backing_file="/vm/dst/d0.qcow2", backing_format="qcow2")
    job = here.start(Sync.TOP, mode=Mode.EXISTING)
    here.rest()
    with pytest.raises(OpenFileFailed, match="No such file"):
        here.complete(job)
    here.rest()
    assert job.state is State.READY
    here.world.create("/vm/dst/d0.qcow2")
    here.complete(job)
    here.rest()
    assert here.world.chain() == ["dst/t0.qcow2", "dst/d0.qcow2"]


def test_the_switch_waits_for_what_is_in_flight_and_copies_it(here: Mirrors) -> None:
    device = here.world.device()
    job = here.start()
    here.rest()
    here.complete(job)
    request = Request(Operation.WRITE, 0, 6, b"flight")
    device.submit(request)
    here.steps(4)
    assert here.world.chain() == ["d0.qcow2"]
    device.complete(request)
    here.rest()
    assert here.world.chain() == ["dst/t0.qcow2"]
    assert here.shown()[:6] == b"flight"


def test_the_target_is_durable_before_anybody_rests_on_it(here: Mirrors) -> None:
    job = here.start()
    here.rest()
    here.world.device().write(0, b"more")
    here.complete(job)
    here.world.host.log.clear()
    for _ in here.steps_of(job):
        if here.world.chain() == ["dst/t0.qcow2"]:
            break
    on_target = [operation for operation, path in here.world.host.log if path == TARGET]
    assert on_target[-1] == "flush"


def test_a_source_that_the_target_goes_on_resting_on_is_durable_as_well(here: Mirrors) -> None:
    job = here.start(Sync.NONE)
    here.rest()
    here.complete(job)
    here.world.device().write(3 * CLUSTER, b"just before")
    here.rest()
    here.world.device().flush()
    assert here.copied() == here.shown()


def test_cancelling_before_it_is_ready_abandons_the_target(here: Mirrors) -> None:
    job = here.start()
    here.steps(3)
    job.cancel()
    here.rest()
    assert here.events() == ["CANCELLED"]
    assert here.world.chain() == ["d0.qcow2"]
    assert here.world.handles() == ["/vm/d0.qcow2"]
    assert here.world.device().user is None


def test_cancelling_at_ready_leaves_the_source_and_a_copy_of_one_moment(here: Mirrors) -> None:
    job = here.start()
    here.rest()
    here.world.device().write(0, b"last")
    job.cancel()
    here.rest()
    moment = here.shown()
    assert (here.events(), here.world.chain()) == (["READY", "COMPLETED"], ["d0.qcow2"])
    here.world.device().write(0, b"past")
    assert here.copied() == moment


def test_cancelling_by_force_ends_it_at_once(here: Mirrors) -> None:
    job = here.start()
    here.rest()
    here.world.device().write(0, b"last")
    job.cancel(force=True)
    here.rest()
    assert here.events() == ["READY", "CANCELLED"]
    assert here.copied()[:4] == b"old-"


def test_completing_what_is_being_cancelled_is_refused(here: Mirrors) -> None:
    job = here.start()
    here.rest()
    job.cancel()
    with pytest.raises(IllegalMove):
        here.complete(job)


# ------------------------------------------------------------------------------------------ pausing


def test_a_paused_job_copies_nothing_and_a_resumed_one_goes_on(here: Mirrors) -> None:
    job = here.start()
    job.pause()
    here.rest()
    assert (job.state, job.offset) == (State.PAUSED, 0)
    job.resume()
    here.rest()
    job.pause()
    here.rest()
    assert job.state is State.STANDBY
    assert query(here)[0]["paused"] is True


def test_completing_a_paused_job_takes_effect_when_it_is_resumed(here: Mirrors) -> None:
    """QEMU 7.2 accepts it, too (`test_against_qemu`)."""
    job = here.start()
    here.rest()
    job.pause()
    here.rest()
    here.complete(job)
    here.rest()
    assert (job.state, here.world.chain()) == (State.STANDBY, ["d0.qcow2"])
    job.resume()
    here.rest()
    assert here.world.chain() == ["dst/t0.qcow2"]


def test_a_job_rests_while_somebody_else_drains_its_device(here: Mirrors) -> None:
    job = here.start()
    run(drain([here.world.device()]))
    here.rest()
    assert (job.state, job.offset) == (State.PAUSED, 0)
    resume([here.world.device()])
    here.rest()
    assert job.state is State.READY


def test_cancelling_wakes_a_paused_job(here: Mirrors) -> None:
    job = here.start()
    job.pause()
    here.rest()
    job.cancel()
    here.rest()
    assert here.events() == ["CANCELLED"]


def test_a_job_that_has_ended_is_not_listed_however_it_ended(here: Mirrors) -> None:
    job = here.start()
    assert [row["device"] for row in query(here)] == ["d0"]
    job.cancel()
    here.rest()
    assert query(here) == []


# --------------------------------------------------------------------------- the command that starts it


def start_error(here: Mirrors, mode: Mode | None = None) -> OpenFileFailed:
    with pytest.raises(OpenFileFailed) as failed:
        here.start(mode=mode)
    return failed.value


@BOTH
def test_a_target_that_cannot_be_opened_starts_no_job(profile: Profile) -> None:
    here = mirrors(profile)
    here.world.host.fail("open", TARGET)
    assert start_error(here).filename == TARGET
    assert here.world.machine.background == []
    assert isinstance(here.world.device().top, ImageNode)
    assert ("dst/t0.qcow2" in here.world.files()) is (profile is Profile.AS_POSTED)


def test_as_posted_a_file_in_the_way_is_wiped_and_hardened_refuses() -> None:
    for profile in Profile:
        here = mirrors(profile)
        here.world.create(TARGET)
        if profile is Profile.AS_POSTED:
            here.start()
        else:
            assert "File exists" in str(start_error(here))


def test_a_target_of_another_size_is_refused_by_the_hardened_one() -> None:
    here = mirrors(Profile.HARDENED)
    here.world.create(TARGET, size=2 * SIZE)
    assert f"{2 * SIZE} bytes" in str(start_error(here, Mode.EXISTING))


def test_a_device_without_a_medium_has_nothing_to_mirror(here: Mirrors) -> None:
    here.world.machine.attach("empty", None)
    wanted = DriveMirrorJob("empty", TARGET, Sync.FULL)
    error = error_of(start_mirror(here.world.machine, here.world.profile, wanted, here.tell))
    assert str(error) == "Device 'empty' has no medium"
