"""What the four proposals are compared with.

Source of every claim here: semantics.md 1 ("group-snapshot-v1", "The single-device predecessor"), and
lab.md for stop-cont ("what people did in 2012").
"""

import pytest

from blockops.commands.profile import Profile
from blockops.commands.snapshot import SnapshotSync
from blockops.errors import DeviceInUse, OpenFileFailed
from blockops.qmp.command import Client, NoArguments
from blockops.steps import Phase, Steps, run
from proposals.baselines.group_snapshot_v1 import GroupSnapshotSync, GroupSnapshotV1Commands
from proposals.baselines.naive_loop import NaiveLoopCommands
from proposals.baselines.stop_cont import StopContCommands
from tests.commands.worlds import World, error_of, make_world, trace, until, write

BOTH = (SnapshotSync("d0", "/vm/s0"), SnapshotSync("d1", "/vm/s1"))
CLIENT = Client("test")


def group(world: World, *entries: SnapshotSync) -> Steps[None]:
    return GroupSnapshotV1Commands(world.machine).group_snapshot(CLIENT, GroupSnapshotSync(entries))


def test_v1_creates_all_drains_then_closes_and_opens_one_after_the_other(posted: World) -> None:
    assert trace(group(posted, *BOTH)) == [
        "check d0",
        "create /vm/s0",
        "check d1",
        "create /vm/s1",
        "drain d0",
        "drain d1",
        "flush d0",
        "flush d1",
        "close d0",
        "open /vm/s0",
        "close d1",
        "open /vm/s1",
    ]
    assert (posted.chain("d0"), posted.chain("d1")) == (["s0", "d0.qcow2"], ["s1", "d1.qcow2"])


def test_v1_that_fails_midway_reopens_the_originals_and_leaves_the_overlays(posted: World) -> None:
    posted.host.fail("open", "/vm/s1")
    error = error_of(group(posted, *BOTH))
    assert isinstance(error, OpenFileFailed)
    assert error.filename == "/vm/s1"
    assert (posted.chain("d0"), posted.chain("d1")) == (["d0.qcow2"], ["d1.qcow2"])
    assert posted.files() == ["d0.qcow2", "d1.qcow2", "s0", "s1"]


def test_v1_can_fail_again_on_the_way_back_and_kill_a_device(posted: World) -> None:
    """It has opened d0.qcow2 below s0 once; the second opening is the way back."""
    posted.host.fail("open", "/vm/s1")
    posted.host.fail("open", "/vm/d0.qcow2", skip=1)
    error = error_of(group(posted, *BOTH))
    assert isinstance(error, OpenFileFailed)
    assert error.filename == "/vm/s1"
    assert posted.device("d0").top is None
    assert posted.chain("d1") == ["d1.qcow2"]
    assert not posted.device("d0").holds


def test_v1_fails_before_anything_is_closed_if_an_overlay_cannot_be_made(posted: World) -> None:
    posted.host.fail("create", "/vm/s1")
    error_of(group(posted, *BOTH))
    assert ("close", "/vm/d0.qcow2") not in posted.host.log
    assert posted.files() == ["d0.qcow2", "d1.qcow2", "s0"]


def test_v1_refuses_a_device_in_use(posted: World) -> None:
    posted.device("d1").user = "a job"
    assert isinstance(error_of(group(posted, *BOTH)), DeviceInUse)
    assert posted.chain("d0") == ["d0.qcow2"]


def test_v1_has_no_hardened_form(hardened: World) -> None:
    """Our choice: hardened it would be the group snapshot as merged."""
    with pytest.raises(ValueError, match="profile"):
        GroupSnapshotV1Commands(hardened.machine, Profile.HARDENED)


def test_v1_holds_requests_back_until_the_last_device_is_open(posted: World) -> None:
    steps = group(posted, *BOTH)
    until(steps, Phase.OPEN, "/vm/s0")
    late = write(b"late")
    posted.device().submit(late)
    assert late.state.value == "queued"
    trace(steps)
    posted.device().complete(late)
    assert posted.device().read(0, 4) == b"late"


def test_the_naive_loop_has_one_command_that_changes_anything(world: World) -> None:
    proposal = NaiveLoopCommands(world.machine, world.profile)
    assert list(proposal.commands) == ["blockdev-snapshot-sync", "query-block"]
    for entry in BOTH:
        run(proposal.commands["blockdev-snapshot-sync"].handler(CLIENT, entry))
    assert world.chain("d1") == ["s1", "d1.qcow2"]
    assert trace(proposal.disconnected(CLIENT)) == []


def test_stop_holds_every_device_and_waits_and_flushes(world: World) -> None:
    proposal = StopContCommands(world.machine, world.profile)
    in_flight, late = write(b"in flight"), write(b"late")
    world.device("d1").submit(in_flight)
    assert trace(proposal.stop(CLIENT, NoArguments())) == ["drain d0", "drain d1", "flush d0", "flush d1"]
    world.device("d1").submit(late)
    assert (in_flight.state.value, late.state.value) == ("done", "queued")
    run(proposal.cont(CLIENT, NoArguments()))
    assert late.state.value == "in flight"


def test_stop_reports_no_failed_flush(world: World) -> None:
    """Our choice, after QEMU of the time, whose stop ignored what its flush returned."""
    world.device().write(0, b"unflushed")
    world.host.fail("flush", "/vm/d0.qcow2", times=1)
    run(StopContCommands(world.machine, world.profile).stop(CLIENT, NoArguments()))


def test_stop_and_cont_do_not_nest(world: World) -> None:
    proposal = StopContCommands(world.machine, world.profile)
    for _ in range(2):
        run(proposal.stop(CLIENT, NoArguments()))
    run(proposal.cont(CLIENT, NoArguments()))
    assert not world.device().holds
    run(proposal.cont(CLIENT, NoArguments()))
    assert not world.device().holds


def test_a_disconnect_leaves_the_guest_stopped() -> None:
    world = make_world(Profile.HARDENED)
    proposal = StopContCommands(world.machine, world.profile)
    run(proposal.stop(CLIENT, NoArguments()))
    run(proposal.disconnected(CLIENT))
    assert world.device().holds
