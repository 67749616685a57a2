"""`blockdev-snapshot-sync` of 2012, called alone: create, drain, flush, close, open.

Source of every claim here: semantics.md 1, "The single-device predecessor", unless it names another.
"""

import errno

import pytest

from blockops.commands.profile import Mode, Profile
from blockops.commands.snapshot import SnapshotSync, snapshot_sync
from blockops.errors import (
    DeviceHasNoMedium,
    DeviceInUse,
    DeviceNotFound,
    InvalidBlockFormat,
    OpenFileFailed,
)
from blockops.steps import Phase, Steps
from tests.commands.worlds import World, error_of, read, trace, until, write


def snapshot(world: World, filename: str = "/vm/s0", device: str = "d0", **how: object) -> Steps[None]:
    wanted = SnapshotSync(device, filename, **how)  # type: ignore[arg-type]
    return snapshot_sync(world.machine, Profile.AS_POSTED, wanted)


def test_it_creates_drains_flushes_closes_and_opens_in_that_order(posted: World) -> None:
    assert trace(snapshot(posted)) == [
        "check d0",
        "create /vm/s0",
        "drain d0",
        "drain d1",
        "flush d0",
        "close d0",
        "open /vm/s0",
    ]
    assert posted.chain() == ["s0", "d0.qcow2"]
    assert posted.device().read(0, 5) == b"old-0"


def test_a_failed_flush_does_not_stop_it(posted: World) -> None:
    posted.device().write(0, b"unflushed")
    posted.host.fail("flush", "/vm/d0.qcow2", times=1)
    trace(snapshot(posted))
    assert posted.chain() == ["s0", "d0.qcow2"]


def test_where_the_overlay_does_not_open_the_old_image_is_opened_again_and_the_overlay_stays(
    posted: World,
) -> None:
    posted.host.fail("open", "/vm/s0", code=errno.EMFILE)
    error = error_of(snapshot(posted))
    assert isinstance(error, OpenFileFailed)
    assert error.filename == "/vm/s0"
    assert posted.chain() == ["d0.qcow2"]
    assert posted.device().read(0, 5) == b"old-0"
    assert "s0" in posted.files()


def test_where_neither_opens_the_error_names_the_old_file_and_the_device_is_dead(posted: World) -> None:
    posted.host.fail("open", "/vm/s0")
    posted.host.fail("open", "/vm/d0.qcow2")
    error = error_of(snapshot(posted))
    assert isinstance(error, OpenFileFailed)
    assert error.filename == "/vm/d0.qcow2"
    assert posted.device().top is None
    assert not posted.device().holds
    with pytest.raises(DeviceHasNoMedium):
        posted.device().read(0, 1)


def test_a_failed_creation_leaves_a_partial_file_and_the_device_alone(posted: World) -> None:
    """Source: semantics.md 1, "Left behind on failure: nothing is unlinked"."""
    posted.host.fail("write", "/vm/s0", code=errno.ENOSPC)
    error = error_of(snapshot(posted))
    assert isinstance(error, OpenFileFailed)
    assert error.filename == "/vm/s0"
    assert posted.chain() == ["d0.qcow2"]
    assert "s0" in posted.files()


def test_it_wipes_a_file_that_is_there(posted: World) -> None:
    """Source: semantics.md, "as-posted: truncating what is there"."""
    posted.create("/vm/s0", format="raw", size=512)
    trace(snapshot(posted))
    assert posted.recorded("/vm/s0") == ("/vm/d0.qcow2", "qcow2")


def test_requests_in_flight_finish_on_the_old_image_and_queued_ones_start_on_the_new(posted: World) -> None:
    device = posted.device()
    in_flight, queued = write(b"in flight"), write(b"queued", 4096)
    device.submit(in_flight)
    steps = snapshot(posted)
    until(steps, Phase.CLOSE)
    device.submit(queued)
    trace(steps)
    device.complete_next()
    assert in_flight.error is None
    assert queued.error is None
    assert posted.content("/vm/d0.qcow2", 9) == b"in flight"
    assert device.read(4096, 6) == b"queued"
    device.submit(request := read(9))
    device.complete(request)
    assert request.data == b"in flight"


def test_a_relative_name_recorded_from_another_folder_does_not_open_again(posted: World) -> None:
    """Source: semantics.md 1, "Creation": the name is recorded exactly as it was opened."""
    posted.create("/vm/relative.qcow2")
    posted.machine.attach("d2", "relative.qcow2", "qcow2")
    error = error_of(snapshot(posted, "/vm/other/s2", "d2"))
    assert isinstance(error, OpenFileFailed)
    assert error.filename == "/vm/other/s2"
    assert posted.recorded("/vm/other/s2") == ("relative.qcow2", "qcow2")
    assert posted.chain("d2") == ["relative.qcow2"]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (SnapshotSync("d9", "/vm/s"), DeviceNotFound),
        (SnapshotSync("empty", "/vm/s"), DeviceHasNoMedium),
        (SnapshotSync("busy", "/vm/s"), DeviceInUse),
        (SnapshotSync("d0", "/vm/s", "vmdk"), InvalidBlockFormat),
        (SnapshotSync("d0", "/vm/s", "raw"), OpenFileFailed),
    ],
    ids=["no-such-device", "no-medium", "busy", "no-such-format", "raw-has-no-backing"],
)
@pytest.mark.parametrize("profile", list(Profile), ids=lambda profile: profile.value)
def test_what_cannot_be_is_refused_before_a_file_is_made(
    posted: World, profile: Profile, wanted: SnapshotSync, expected: type
) -> None:
    """Source: semantics.md 1, step 1."""
    posted.machine.attach("empty", None)
    posted.machine.attach("busy", "/vm/d1.qcow2", "qcow2").user = "a job"
    before = posted.files()
    assert type(error_of(snapshot_sync(posted.machine, profile, wanted))) is expected
    assert posted.files() == before


def test_existing_opens_what_is_there_and_creates_nothing(posted: World) -> None:
    """Source: semantics.md 3, `mode`: "existing (no create, no content check)"."""
    posted.create("/vm/s0", backing_file="/vm/d1.qcow2", backing_format="qcow2")
    trace(snapshot(posted, mode=Mode.EXISTING))
    assert posted.chain() == ["s0", "d1.qcow2"]
    assert posted.device().read(0, 5) == b"old-1"
