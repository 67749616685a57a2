"""`blkdev-group-snapshot-sync` hardened.

Source of every claim here: semantics.md, "Two profiles of every proposal".
"""

import itertools

import pytest

from blockops.commands.profile import Profile
from blockops.errors import CommandError, DeviceInUse, DeviceIOError, OpenFileFailed
from blockops.qmp.command import Client
from blockops.steps import Steps, run
from proposals.group_snapshot import GroupSnapshot, GroupSnapshotCommands, GroupSnapshotSync, SnapshotDev
from tests.commands.worlds import World, error_of, make_world, outcome, trace

BOTH = (SnapshotDev("d0", "/vm/s0"), SnapshotDev("d1", "/vm/s1"))


def group(world: World, *entries: SnapshotDev) -> Steps[None]:
    proposal = GroupSnapshotCommands(world.machine, Profile.HARDENED)
    return proposal.group_snapshot(Client("test"), GroupSnapshotSync(entries))


def test_the_guest_is_held_back_for_flush_and_pivot_only(hardened: World) -> None:
    assert trace(group(hardened, *BOTH)) == [
        "check d0",
        "create /vm/s0",
        "open /vm/s0",
        "check d1",
        "create /vm/s1",
        "open /vm/s1",
        "drain d0",
        "drain d1",
        "flush d0",
        "flush /vm/s0",
        "flush d1",
        "flush /vm/s1",
        "pivot d0",
        "pivot d1",
    ]


def test_the_same_device_twice_is_refused(hardened: World) -> None:
    error = error_of(group(hardened, SnapshotDev("d0", "/vm/a"), SnapshotDev("d0", "/vm/b")))
    assert isinstance(error, DeviceInUse)
    assert str(error) == "Device 'd0' is in use by an earlier entry of the list"
    assert hardened.files() == ["d0.qcow2", "d1.qcow2"]


def test_the_same_overlay_twice_is_refused_however_it_is_spelt(hardened: World) -> None:
    error = error_of(group(hardened, SnapshotDev("d0", "/vm/s"), SnapshotDev("d1", "./other/../s")))
    assert isinstance(error, OpenFileFailed)
    assert error.device == "d1"
    assert hardened.files() == ["d0.qcow2", "d1.qcow2"]


@pytest.mark.parametrize("path", ["/vm/d1.qcow2", "/vm/d0.qcow2", "d1.qcow2"])
def test_the_file_of_a_live_disk_is_refused(hardened: World, path: str) -> None:
    assert isinstance(error_of(group(hardened, SnapshotDev("d0", path))), OpenFileFailed)
    assert hardened.content("/vm/d1.qcow2", 5) == b"old-1"


def test_an_error_names_device_file_and_cause(hardened: World) -> None:
    error = error_of(group(hardened, BOTH[0], SnapshotDev("d1", "/nowhere/s1")))
    assert str(error) == (
        "Could not open '/nowhere/s1' for device 'd1': /nowhere/s1: create: No such file or directory"
    )
    assert hardened.files() == ["d0.qcow2", "d1.qcow2"]


def test_what_could_not_be_removed_is_named(hardened: World) -> None:
    hardened.host.fail("unlink", "/vm/s0")
    error = error_of(group(hardened, BOTH[0], SnapshotDev("d1", "/nowhere/s1")))
    assert [left.filename for left in error.leftovers] == ["/vm/s0"]
    assert hardened.files() == ["d0.qcow2", "d1.qcow2", "s0"]


def test_a_failed_flush_of_the_last_device_fails_all_before_the_first_pivot(hardened: World) -> None:
    hardened.device("d1").write(0, b"unflushed")
    hardened.host.fail("flush", "/vm/d1.qcow2", times=1)
    error = error_of(group(hardened, *BOTH))
    assert isinstance(error, DeviceIOError)
    assert error.device == "d1"
    assert hardened.chain("d0") == ["d0.qcow2"]


def test_what_could_not_be_removed_after_a_failed_flush_is_named_too(hardened: World) -> None:
    hardened.host.fail("flush", "/vm/s1", skip=1)
    hardened.host.fail("unlink", "/vm/s0")
    assert [left.filename for left in error_of(group(hardened, *BOTH)).leftovers] == ["/vm/s0"]


def test_every_single_failure_leaves_all_or_nothing_and_no_file() -> None:
    """Each host operation of a run without fault fails once, one after the other."""
    reference = make_world(Profile.HARDENED)
    run(group(reference, *BOTH))
    failed = 0
    for operation, path in sorted(set(reference.host.log)):
        for skip in itertools.count():
            world = make_world(Profile.HARDENED)
            world.device().write(0, b"unflushed")
            before, handles = world.files(), world.handles()
            world.host.fail(operation, path, skip=skip, times=1)
            error = outcome(group(world, *BOTH))
            tops = [world.chain(name)[0] for name in ("d0", "d1")]
            assert not any(device.holds for device in world.machine.devices.values())
            if error is None:
                assert tops == ["s0", "s1"]
                break
            failed += 1
            assert tops == ["d0.qcow2", "d1.qcow2"]
            assert world.files() == before
            assert world.handles() == handles
    assert failed > 20


def test_from_python_it_simply_runs(hardened: World) -> None:
    proposal = GroupSnapshot(hardened.machine)
    proposal.group_snapshot(BOTH)
    proposal.snapshot("d0", "/vm/t0")
    assert hardened.chain() == ["t0", "s0", "d0.qcow2"]
    with pytest.raises(CommandError):
        proposal.group_snapshot(BOTH)
