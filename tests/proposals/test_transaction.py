"""The session transaction.  Its signatures are the page's; what it does is our choice (semantics.md 3)."""

import errno

import pytest

from blockops.commands.profile import Profile
from blockops.errors import (
    CommandError,
    DeviceInUse,
    DeviceIOError,
    DeviceNotFound,
    OpenFileFailed,
    UndefinedError,
)
from blockops.steps import Phase
from proposals.transaction import Transaction
from proposals.transaction.arguments import CommitTransaction
from tests.commands.worlds import World, make_world, trace, until, write


@pytest.fixture
def session(world: World) -> Transaction:
    transaction = Transaction(world.machine, world.profile)
    transaction.start()
    return transaction


def other_client(session: Transaction) -> Transaction:
    """A second connection to the same server."""
    other = Transaction(session.machine, session.profile)
    other.commands = session.commands
    return other


def test_nothing_is_shown_before_the_commit_and_all_of_it_after(world: World, session: Transaction) -> None:
    session.snapshot("d0", "/vm/s0")
    session.snapshot("d1", "/vm/s1")
    assert (world.chain("d0"), world.chain("d1")) == (["d0.qcow2"], ["d1.qcow2"])
    session.commit()
    assert (world.chain("d0"), world.chain("d1")) == (["s0", "d0.qcow2"], ["s1", "d1.qcow2"])
    assert world.device().user is None


def test_each_queued_command_prepares_at_once_and_reports_its_own_error(
    world: World, session: Transaction
) -> None:
    """So that "improved error handling extends to the existing command"."""
    session.snapshot("d0", "/vm/s0")
    assert "s0" in world.files()
    with pytest.raises(OpenFileFailed, match="/nowhere/s1"):
        session.snapshot("d1", "/nowhere/s1")


def test_a_queued_command_that_fails_is_not_enrolled_and_the_client_decides(
    world: World, session: Transaction
) -> None:
    session.snapshot("d0", "/vm/s0")
    with pytest.raises(OpenFileFailed):
        session.snapshot("d1", "/nowhere/s1")
    assert world.device("d1").user is None
    session.commit()
    assert (world.chain("d0"), world.chain("d1")) == (["s0", "d0.qcow2"], ["d1.qcow2"])


def test_a_second_start_is_an_error_for_everybody(session: Transaction) -> None:
    for client in (session, other_client(session)):
        with pytest.raises(UndefinedError, match="open"):
            client.start()


@pytest.mark.parametrize("end", ["commit", "abort"])
def test_commit_and_abort_without_a_transaction_are_errors(world: World, end: str) -> None:
    with pytest.raises(UndefinedError, match="none is open"):
        getattr(Transaction(world.machine, world.profile), end)()


@pytest.mark.parametrize("end", ["commit", "abort"])
def test_nobody_else_ends_it(world: World, session: Transaction, end: str) -> None:
    session.snapshot("d0", "/vm/s0")
    with pytest.raises(UndefinedError, match="another client's"):
        getattr(other_client(session), end)()
    assert world.device().user is not None
    session.commit()


def test_enrolled_devices_answer_device_in_use_to_others(world: World, session: Transaction) -> None:
    session.snapshot("d0", "/vm/s0")
    other = other_client(session)
    with pytest.raises(DeviceInUse):
        other.snapshot("d0", "/vm/t0")
    with pytest.raises(DeviceInUse):
        other.reopen("d0", "/vm/d0.qcow2")
    with pytest.raises(DeviceInUse):
        other.mirror("d0", "/vm/t0")


def test_others_snapshot_free_devices_at_once(world: World, session: Transaction) -> None:
    session.snapshot("d0", "/vm/s0")
    other_client(session).snapshot("d1", "/vm/s1")
    assert world.chain("d1") == ["s1", "d1.qcow2"]


def test_a_device_that_somebody_else_uses_cannot_be_enrolled(world: World, session: Transaction) -> None:
    world.device().user = "a job"
    with pytest.raises(DeviceInUse, match=r"d0.*a job"):
        session.snapshot("d0", "/vm/s0")
    assert world.device().user == "a job"
    with pytest.raises(DeviceNotFound):
        session.mirror("d9", "/vm/m9")


def test_commit_drains_and_flushes_every_enrolled_device_before_the_first_pivot(
    world: World, session: Transaction
) -> None:
    session.snapshot("d1", "/vm/s1")
    session.snapshot("d0", "/vm/s0")
    steps = trace(session.commands.commit(session.client, CommitTransaction()))
    first_pivot = steps.index("pivot d1")
    assert [step for step in steps[:first_pivot] if "/vm/" not in step] == [
        "drain d1",
        "drain d0",
        "flush d1",
        "flush d0",
    ]


def test_the_guest_runs_between_the_queued_commands(world: World, session: Transaction) -> None:
    session.snapshot("d0", "/vm/s0")
    world.device().write(0, b"between")
    session.commit()
    assert world.content("/vm/d0.qcow2", 7) == b"between"
    assert world.device().read(0, 7) == b"between"


def test_a_flush_that_fails_at_commit_aborts_everything_and_names_the_device(
    world: World, session: Transaction
) -> None:
    session.snapshot("d0", "/vm/s0")
    session.snapshot("d1", "/vm/s1")
    world.device("d1").write(0, b"unflushed")
    world.host.fail("flush", "/vm/d1.qcow2", times=1)
    with pytest.raises(DeviceIOError, match="'d1'"):
        session.commit()
    assert (world.chain("d0"), world.chain("d1")) == (["d0.qcow2"], ["d1.qcow2"])
    assert not any(device.holds or device.user for device in world.machine.devices.values())
    session.start()


def test_an_abort_undoes_in_reverse_order(hardened: World) -> None:
    session = Transaction(hardened.machine)
    session.start()
    session.snapshot("d0", "/vm/s0")
    session.snapshot("d1", "/vm/s1")
    session.abort()
    unlinked = [path for operation, path in hardened.host.log if operation == "unlink"]
    assert unlinked == ["/vm/s1", "/vm/s0"]
    assert hardened.files() == ["d0.qcow2", "d1.qcow2"]
    assert hardened.handles() == ["/vm/d0.qcow2", "/vm/d1.qcow2"]


def test_as_posted_an_abort_leaves_the_files(posted: World) -> None:
    """Source: semantics.md 1, "Left behind on failure: nothing is unlinked"."""
    session = Transaction(posted.machine, Profile.AS_POSTED)
    session.start()
    session.snapshot("d0", "/vm/s0")
    session.abort()
    assert "s0" in posted.files()
    assert posted.handles() == ["/vm/d0.qcow2", "/vm/d1.qcow2"]


def test_an_abort_names_what_it_could_not_remove(hardened: World) -> None:
    session = Transaction(hardened.machine)
    session.start()
    session.snapshot("d0", "/vm/s0")
    hardened.host.fail("unlink", "/vm/s0")
    with pytest.raises(UndefinedError, match=r"aborted; could not remove '/vm/s0' of device 'd0': .*error"):
        session.abort()
    assert hardened.device().user is None


def test_a_disconnect_aborts(world: World, session: Transaction) -> None:
    session.snapshot("d0", "/vm/s0")
    session.disconnect()
    assert world.chain() == ["d0.qcow2"]
    assert world.device().user is None
    other_client(session).start()


def test_somebody_else_s_disconnect_aborts_nothing(world: World, session: Transaction) -> None:
    session.snapshot("d0", "/vm/s0")
    other_client(session).disconnect()
    session.commit()
    assert world.chain() == ["s0", "d0.qcow2"]


def test_an_empty_transaction_commits(session: Transaction) -> None:
    session.commit()
    session.start()


def test_as_posted_a_reopen_closes_at_commit_and_is_not_opened_before(posted: World) -> None:
    session = Transaction(posted.machine, Profile.AS_POSTED)
    posted.create("/vm/new", backing_file="/vm/d0.qcow2", backing_format="qcow2")
    session.start()
    session.reopen("d0", "/vm/new")
    assert ("open", "/vm/new") not in posted.host.log
    session.commit()
    log = posted.host.log
    assert log.index(("close", "/vm/d0.qcow2")) < log.index(("open", "/vm/new"))


def test_as_posted_a_reopen_that_fails_after_others_have_pivoted_takes_them_back(posted: World) -> None:
    """As posted it "can fail there, after others have pivoted, and rolls back by reopening"."""
    session = Transaction(posted.machine, Profile.AS_POSTED)
    session.start()
    session.snapshot("d0", "/vm/s0")
    session.reopen("d1", "/vm/absent")
    steps = session.commands.commit(session.client, CommitTransaction())
    until(steps, Phase.PIVOT, "d0")
    assert posted.chain("d0") == ["s0", "d0.qcow2"]
    with pytest.raises(OpenFileFailed, match="/vm/absent"):
        trace(steps)
    assert (posted.chain("d0"), posted.chain("d1")) == (["d0.qcow2"], ["d1.qcow2"])
    with pytest.raises(CommandError):
        session.commit()


def test_as_posted_the_way_back_of_an_earlier_reopen_can_fail_and_kill_its_device(posted: World) -> None:
    """The first error only is reported: the dead device is not in the reply."""
    session = Transaction(posted.machine, Profile.AS_POSTED)
    posted.create("/vm/new", backing_file="/vm/d0.qcow2", backing_format="qcow2")
    session.start()
    session.reopen("d0", "/vm/new")
    session.reopen("d1", "/vm/absent")
    posted.host.fail("open", "/vm/d0.qcow2", skip=1, code=errno.EMFILE)
    with pytest.raises(OpenFileFailed, match="/vm/absent"):
        session.commit()
    assert posted.device("d0").top is None
    assert posted.chain("d1") == ["d1.qcow2"]
    assert not posted.device("d0").holds


def test_as_posted_the_way_back_of_an_earlier_reopen_opens_the_old_image(posted: World) -> None:
    session = Transaction(posted.machine, Profile.AS_POSTED)
    posted.create("/vm/new", backing_file="/vm/d0.qcow2", backing_format="qcow2")
    session.start()
    session.reopen("d0", "/vm/new")
    session.reopen("d1", "/vm/absent")
    with pytest.raises(OpenFileFailed, match="/vm/absent"):
        session.commit()
    assert (posted.chain("d0"), posted.chain("d1")) == (["d0.qcow2"], ["d1.qcow2"])


def test_as_posted_two_changes_of_one_device_are_taken_back_in_reverse(posted: World) -> None:
    session = Transaction(posted.machine, Profile.AS_POSTED)
    session.start()
    session.snapshot("d0", "/vm/s0")
    session.mirror("d0", "/vm/m0")
    session.reopen("d1", "/vm/absent")
    with pytest.raises(OpenFileFailed, match="/vm/absent"):
        session.commit()
    assert posted.chain("d0") == ["d0.qcow2"]
    assert posted.handles() == ["/vm/d0.qcow2", "/vm/d1.qcow2"]


def test_hardened_a_reopen_is_opened_at_queueing_time(hardened: World) -> None:
    session = Transaction(hardened.machine)
    hardened.create("/vm/new", backing_file="d0.qcow2", backing_format="qcow2")
    session.start()
    with pytest.raises(OpenFileFailed, match="/vm/absent"):
        session.reopen("d1", "/vm/absent")
    session.reopen("d0", "/vm/new")
    assert ("open", "/vm/new") in hardened.host.log
    hardened.host.fail("open", "/vm/new")
    session.commit()
    assert hardened.chain() == ["new", "d0.qcow2"]


def test_snapshot_and_mirror_of_one_device_both_record_the_old_image(
    world: World, session: Transaction
) -> None:
    """Both "prepare against the **old** top": why oVirt's case falls out."""
    session.snapshot("d0", "/vm/s0")
    session.mirror("d0", "/vm/m0")
    session.commit()
    assert world.recorded("/vm/s0") == world.recorded("/vm/m0") == ("/vm/d0.qcow2", "qcow2")
    world.device().write(0, b"new")
    assert world.content("/vm/d0.qcow2", 5) == b"old-0"
    target = world.machine.graph.opened("/vm/m0")
    assert target is not None
    assert target.read(0, 5) == b"new-0"


def test_mirror_first_and_snapshot_second_leaves_the_target_without_writes(
    world: World, session: Transaction
) -> None:
    """Here "order matters": the snapshot lands above the mirror and the target receives nothing."""
    session.mirror("d0", "/vm/m0")
    session.snapshot("d0", "/vm/s0")
    session.commit()
    writes = len([entry for entry in world.host.log if entry == ("write", "/vm/m0")])
    world.device().write(0, b"new")
    assert len([entry for entry in world.host.log if entry == ("write", "/vm/m0")]) == writes
    assert world.device().read(0, 5) == b"new-0"


def test_hardened_refuses_what_would_leave_memory_and_disk_at_odds(hardened: World) -> None:
    """Our choice: what is prepared records the image shown now, which must still hold at commit."""
    session = Transaction(hardened.machine)
    session.start()
    session.snapshot("d0", "/vm/s0")
    with pytest.raises(UndefinedError, match="'d0'"):
        session.snapshot("d0", "/vm/t0")
    with pytest.raises(UndefinedError, match="'d0'"):
        session.reopen("d0", "/vm/d0.qcow2")
    session.reopen("d1", "/vm/d1.qcow2")
    with pytest.raises(UndefinedError, match="'d1'"):
        session.mirror("d1", "/vm/m1")
    session.mirror("d0", "/vm/m0")
    session.commit()
    assert hardened.chain() == ["s0", "d0.qcow2"]


def test_as_posted_two_snapshots_of_one_device_stack_in_memory_and_not_on_disk(posted: World) -> None:
    """As the group snapshot did: semantics.md 1, "Unchecked"."""
    session = Transaction(posted.machine, Profile.AS_POSTED)
    session.start()
    session.snapshot("d0", "/vm/new1")
    session.snapshot("d0", "/vm/new2")
    session.commit()
    assert posted.chain() == ["new2", "new1", "d0.qcow2"]
    assert posted.recorded("/vm/new2") == ("/vm/d0.qcow2", "qcow2")


def test_requests_queue_from_the_drain_to_the_last_pivot(world: World, session: Transaction) -> None:
    session.snapshot("d0", "/vm/s0")
    session.snapshot("d1", "/vm/s1")
    in_flight, late = write(b"in flight"), write(b"late")
    world.device("d0").submit(in_flight)
    steps = session.commands.commit(session.client, CommitTransaction())
    until(steps, Phase.PIVOT, "d0")
    world.device("d0").submit(late)
    assert late.state.value == "queued"
    trace(steps)
    world.device("d0").complete(late)
    assert world.content("/vm/d0.qcow2", 9) == b"in flight"
    assert in_flight.error is None


def test_a_mixed_transaction_takes_effect_together() -> None:
    """The use case "mixed" of lab.md."""
    for profile in Profile:
        world = make_world(profile, devices=3)
        world.create("/vm/new", backing_file="/vm/d2.qcow2", backing_format="qcow2")
        session = Transaction(world.machine, profile)
        session.start()
        session.snapshot("d0", "/vm/s0")
        session.mirror("d1", "/vm/m1")
        session.reopen("d2", "/vm/new")
        session.commit()
        assert [world.chain(name)[0] for name in ("d0", "d1", "d2")] == ["s0", "d1.qcow2", "new"]
        assert "/vm/m1" in world.handles()
