"""`drive-reopen` of 2012: close, open the new image, and if that fails the old one.

Source of every claim here: semantics.md 2 (Simoncelli's patches), unless it names another.
"""

import errno

import pytest

from blockops.commands.mirror import DriveMirror, drive_mirror
from blockops.commands.profile import Mode, Profile
from blockops.commands.reopen import DriveReopen, drive_reopen
from blockops.commands.snapshot import SnapshotSync, snapshot_sync
from blockops.errors import (
    DeviceHasNoMedium,
    DeviceInUse,
    DeviceIOError,
    DeviceNotFound,
    InvalidBlockFormat,
    OpenFileFailed,
)
from blockops.steps import Phase, Steps, run
from tests.commands.worlds import World, error_of, trace, until, write


def reopen(world: World, source: str, device: str = "d0", **how: object) -> Steps[None]:
    wanted = DriveReopen(device, source, **how)  # type: ignore[arg-type]
    return drive_reopen(world.machine, Profile.AS_POSTED, wanted)


@pytest.fixture
def prepared(posted: World) -> World:
    """A machine beside which management has made an overlay of d0."""
    posted.create("/vm/new", backing_file="/vm/d0.qcow2", backing_format="qcow2")
    return posted


def test_it_checks_drains_flushes_closes_and_opens_in_that_order(prepared: World) -> None:
    assert trace(reopen(prepared, "/vm/new")) == [
        "check d0",
        "drain d0",
        "drain d1",
        "flush d0",
        "close d0",
        "open /vm/new",
    ]
    assert prepared.chain() == ["new", "d0.qcow2"]
    assert prepared.device().read(0, 5) == b"old-0"


def test_the_old_image_is_closed_before_the_new_one_is_opened(prepared: World) -> None:
    trace(reopen(prepared, "/vm/new"))
    log = prepared.host.log
    assert log.index(("close", "/vm/d0.qcow2")) < log.index(("open", "/vm/new"))


def test_where_the_new_image_fails_the_old_is_opened_and_the_error_names_the_new(prepared: World) -> None:
    prepared.host.fail("open", "/vm/new", code=errno.EACCES)
    error = error_of(reopen(prepared, "/vm/new"))
    assert isinstance(error, OpenFileFailed)
    assert error.filename == "/vm/new"
    assert prepared.chain() == ["d0.qcow2"]


def test_an_error_never_comes_with_a_switch(prepared: World) -> None:
    """The missing return of 2012 reported an error and switched anyway: not part of the posting proper."""
    prepared.host.fail("open", "/vm/new", skip=0, times=1)
    error_of(reopen(prepared, "/vm/new"))
    assert prepared.chain() == ["d0.qcow2"]
    trace(reopen(prepared, "/vm/new"))
    assert prepared.chain() == ["new", "d0.qcow2"]


def test_where_both_fail_the_error_names_the_old_file_and_the_guest_has_no_medium(prepared: World) -> None:
    prepared.host.fail("open", "/vm/new")
    prepared.host.fail("open", "/vm/d0.qcow2")
    error = error_of(reopen(prepared, "/vm/new"))
    assert isinstance(error, OpenFileFailed)
    assert error.filename == "/vm/d0.qcow2"
    with pytest.raises(DeviceHasNoMedium):
        prepared.device().read(0, 1)


def test_the_old_image_comes_back_with_its_old_driver(posted: World) -> None:
    """A raw image whose guest has written a qcow2 header into it would be taken for qcow2 by probing."""
    posted.create("/vm/d2.raw", format="raw")
    device = posted.machine.attach("d2", "/vm/d2.raw", "raw")
    device.write(0, b"QFI\xfb")
    error_of(reopen(posted, "/vm/absent", "d2"))
    assert device.medium.source.format == "raw"


def test_a_failed_flush_fails_it_before_anything_is_closed(prepared: World) -> None:
    prepared.device().write(0, b"unflushed")
    prepared.host.fail("flush", "/vm/d0.qcow2", times=1)
    assert isinstance(error_of(reopen(prepared, "/vm/new")), DeviceIOError)
    assert ("close", "/vm/d0.qcow2") not in prepared.host.log
    assert prepared.chain() == ["d0.qcow2"]


def test_a_failed_flush_on_closing_is_not_reported(prepared: World) -> None:
    """Source: semantics.md 1, "flush (result ignored)"; a close had no result to look at."""
    prepared.device().write(0, b"unflushed")
    prepared.host.fail("flush", "/vm/d0.qcow2", skip=1)
    steps = reopen(prepared, "/vm/new")
    until(steps, Phase.FLUSH)
    prepared.device().medium.write(8192, b"dirty again")
    trace(steps)
    assert prepared.chain() == ["new", "d0.qcow2"]


def test_the_format_is_probed(posted: World) -> None:
    posted.create("/vm/flat", format="raw")
    trace(reopen(posted, "/vm/flat"))
    assert posted.device().medium.source.format == "raw"
    trace(reopen(posted, "/vm/d0.qcow2"))
    assert posted.device().medium.source.format == "qcow2"


def test_nothing_checks_that_the_contents_match(posted: World) -> None:
    posted.create("/vm/unrelated", size=4096)
    trace(reopen(posted, "/vm/unrelated"))
    assert posted.device().medium.size == 4096


def test_after_a_snapshot_the_backing_file_is_not_lost(posted: World) -> None:
    """The historical bug: the top's flags still said "no backing"."""
    run(snapshot_sync(posted.machine, Profile.AS_POSTED, SnapshotSync("d0", "/vm/s0")))
    posted.create("/vm/s1", backing_file="/vm/s0", backing_format="qcow2")
    trace(reopen(posted, "/vm/s1"))
    assert posted.chain() == ["s1", "s0", "d0.qcow2"]


def test_a_flat_image_gets_no_stale_backing(prepared: World) -> None:
    """The historical bug: a stale backing name attached the old backing to a flat image."""
    trace(reopen(prepared, "/vm/new"))
    prepared.create("/vm/flat")
    trace(reopen(prepared, "/vm/flat"))
    assert prepared.chain() == ["flat"]
    assert prepared.device().read(0, 5) == bytes(5)


def test_the_new_image_is_opened_with_the_old_flags(posted: World) -> None:
    posted.create("/vm/ro")
    device = posted.machine.attach("d2", "/vm/ro", "qcow2", read_only=True)
    posted.create("/vm/ro2")
    trace(reopen(posted, "/vm/ro2", "d2"))
    assert not device.medium.writable


def test_out_of_a_mirror_there_is_no_way_back(posted: World) -> None:
    run(drive_mirror(posted.machine, Profile.AS_POSTED, DriveMirror("d0", "/vm/m0")))
    error = error_of(reopen(posted, "/vm/absent"))
    assert isinstance(error, OpenFileFailed)
    assert error.filename == "/vm/d0.qcow2"
    assert posted.device().top is None


def test_out_of_a_mirror_onto_its_target_it_opens_the_chain_that_the_target_records(posted: World) -> None:
    posted.create("/vm/dst/d0.qcow2")
    posted.create("/vm/dst/s0", backing_file="d0.qcow2", backing_format="qcow2")
    run(drive_mirror(posted.machine, Profile.AS_POSTED, DriveMirror("d0", "/vm/dst/s0")))
    trace(reopen(posted, "/vm/dst/s0"))
    assert posted.chain() == ["dst/s0", "dst/d0.qcow2"]
    assert posted.handles() == ["/vm/d1.qcow2", "/vm/dst/d0.qcow2", "/vm/dst/s0"]


def test_requests_that_arrive_while_no_image_is_open_wait(prepared: World) -> None:
    steps = reopen(prepared, "/vm/new")
    until(steps, Phase.CLOSE)
    request = write(b"later")
    prepared.device().submit(request)
    trace(steps)
    prepared.device().complete_next()
    assert request.error is None
    assert prepared.device().read(0, 5) == b"later"


@pytest.mark.parametrize("profile", list(Profile), ids=lambda profile: profile.value)
def test_a_device_without_a_medium_takes_the_new_image(posted: World, profile: Profile) -> None:
    """Our choice: it is how a manager brings a dead device back."""
    posted.machine.graph.tops["d0"] = None
    posted.machine.graph.collect()
    run(drive_reopen(posted.machine, profile, DriveReopen("d0", "/vm/d0.qcow2", "qcow2")))
    assert posted.device().read(0, 5) == b"old-0"


def test_mode_absolute_paths_makes_an_overlay_first(world: World) -> None:
    """Our choice; `mode` is an extension."""
    wanted = DriveReopen("d0", "/vm/new", mode=Mode.ABSOLUTE_PATHS)
    run(drive_reopen(world.machine, world.profile, wanted))
    assert world.chain() == ["new", "d0.qcow2"]
    assert world.recorded("/vm/new") == ("/vm/d0.qcow2", "qcow2")


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (DriveReopen("d9", "/vm/new"), DeviceNotFound),
        (DriveReopen("busy", "/vm/new"), DeviceInUse),
        (DriveReopen("d0", "/vm/new", "vmdk"), InvalidBlockFormat),
        (DriveReopen("d0", "/vm/absent"), OpenFileFailed),
    ],
    ids=["no-such-device", "busy", "no-such-format", "no-such-file"],
)
def test_what_cannot_be_is_refused(world: World, wanted: DriveReopen, expected: type) -> None:
    world.create("/vm/busy.qcow2")
    world.machine.attach("busy", "/vm/busy.qcow2", "qcow2").user = "a job"
    assert type(error_of(drive_reopen(world.machine, world.profile, wanted))) is expected
    assert world.chain() == ["d0.qcow2"]
