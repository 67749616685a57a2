"""Freeze and unfreeze.  No freeze code survives: but for the plain meaning all is our choice.

Source of every claim here: semantics.md 4.
"""

import pytest

from blockops.commands.profile import Profile
from blockops.device import RequestState
from blockops.errors import DeviceNotFound, OpenFileFailed, UndefinedError
from blockops.qmp.command import Client
from blockops.steps import Phase
from proposals.freeze import BlockdevFreeze, Freezer
from proposals.freeze.commands import GRACE_STEPS
from tests.commands.worlds import World, make_world, trace, until, walk, write


@pytest.fixture
def freezer(world: World) -> Freezer:
    return Freezer(world.machine, world.profile)


def other_client(freezer: Freezer) -> Freezer:
    """A second connection to the same server."""
    other = Freezer(freezer.machine, freezer.profile)
    other.commands = freezer.commands
    return other


def test_a_freeze_lets_requests_in_flight_finish_and_starts_no_new_one(
    world: World, freezer: Freezer
) -> None:
    in_flight, late = write(b"in flight"), write(b"late")
    world.device().submit(in_flight)
    freezer.freeze("d0")
    world.device().submit(late)
    assert in_flight.state is RequestState.DONE
    assert late.state is RequestState.QUEUED


def test_an_unfreeze_starts_what_has_queued_in_order(world: World, freezer: Freezer) -> None:
    freezer.freeze("d0")
    requests = [write(b"%d" % number) for number in range(3)]
    for request in requests:
        world.device().submit(request)
    freezer.unfreeze("d0")
    assert world.device().in_flight == requests


def test_other_devices_are_not_held_back(world: World, freezer: Freezer) -> None:
    freezer.freeze("d0")
    world.device("d1").write(0, b"goes on")


def test_host_side_commands_work_on_a_frozen_device(world: World, freezer: Freezer) -> None:
    """Freeze "does not count as in use", and a drain of a frozen device does not wait for its queue."""
    freezer.freeze("d0")
    late = write(b"late")
    world.device().submit(late)
    freezer.snapshot("d0", "/vm/s0")
    freezer.mirror("d0", "/vm/m0")
    freezer.reopen("d0", "/vm/s0")
    freezer.reopen("d0", "/vm/d0.qcow2")
    assert late.state is RequestState.QUEUED
    freezer.unfreeze("d0")
    world.device().complete_next()
    assert world.device().read(0, 4) == b"late"


def test_there_is_no_nesting(freezer: Freezer) -> None:
    freezer.freeze("d0")
    for client in (freezer, other_client(freezer)):
        with pytest.raises(UndefinedError, match="'d0' is already frozen"):
            client.freeze("d0")
    freezer.unfreeze("d0")
    with pytest.raises(UndefinedError, match="'d0' is not frozen"):
        freezer.unfreeze("d0")


def test_any_client_may_unfreeze(world: World, freezer: Freezer) -> None:
    """Our choice: after a manager's death another must be able to."""
    freezer.freeze("d0")
    other_client(freezer).unfreeze("d0")
    assert not world.device().frozen


def test_a_device_that_is_not_there_cannot_be_frozen(freezer: Freezer) -> None:
    for command in (freezer.freeze, freezer.unfreeze):
        with pytest.raises(DeviceNotFound):
            command("d9")


def test_a_device_that_died_while_frozen_can_be_unfrozen(posted: World) -> None:
    freezer = Freezer(posted.machine, Profile.AS_POSTED)
    freezer.freeze("d0")
    posted.host.fail("open", "/vm/s0")
    posted.host.fail("open", "/vm/d0.qcow2")
    with pytest.raises(OpenFileFailed):
        freezer.snapshot("d0", "/vm/s0")
    freezer.unfreeze("d0")
    assert not posted.device().holds


def test_snapshots_of_frozen_devices_are_one_instant(world: World, freezer: Freezer) -> None:
    for name in ("d0", "d1"):
        freezer.freeze(name)
    log, data = write(b"log"), write(b"data")
    freezer.snapshot("d0", "/vm/s0")
    world.device("d0").submit(log)
    world.device("d1").submit(data)
    freezer.snapshot("d1", "/vm/s1")
    for name in ("d0", "d1"):
        freezer.unfreeze(name)
        world.device(name).complete_next()
    assert world.content("/vm/d0.qcow2", 5) == b"old-0"
    assert world.content("/vm/d1.qcow2", 5) == b"old-1"


def test_as_posted_a_disconnect_leaves_devices_frozen_for_ever(posted: World) -> None:
    freezer = Freezer(posted.machine, Profile.AS_POSTED)
    freezer.freeze("d0")
    freezer.disconnect()
    assert posted.device().frozen
    assert freezer.commands.events == []


def test_hardened_a_disconnect_thaws_after_a_grace_period_and_says_so(hardened: World) -> None:
    freezer = Freezer(hardened.machine)
    freezer.freeze("d0")
    freezer.freeze("d1")
    steps = walk(freezer.commands.disconnected(freezer.client))
    grace = [next(steps) for _ in range(GRACE_STEPS)]
    assert {step.phase for step in grace} == {Phase.WAIT}
    assert hardened.device("d0").frozen
    assert [str(step) for step in steps] == ["gate d0", "gate d1"]
    assert not hardened.device("d0").frozen
    assert [(event.name, event.data) for event in freezer.commands.events] == [
        ("BLOCKDEV_FREEZE_EXPIRED", {"device": "d0"}),
        ("BLOCKDEV_FREEZE_EXPIRED", {"device": "d1"}),
    ]


def test_hardened_what_another_client_thaws_or_freezes_during_the_grace_period_stays_so(
    hardened: World,
) -> None:
    freezer = Freezer(hardened.machine)
    other = other_client(freezer)
    freezer.freeze("d0")
    freezer.freeze("d1")
    steps = freezer.commands.disconnected(freezer.client)
    next(steps)
    other.unfreeze("d0")
    other.unfreeze("d1")
    other.freeze("d1")
    trace(steps)
    assert not hardened.device("d0").frozen
    assert hardened.device("d1").frozen
    assert freezer.commands.events == []


def test_hardened_a_client_that_froze_nothing_leaves_at_once(hardened: World) -> None:
    freezer = Freezer(hardened.machine)
    freezer.freeze("d0")
    assert trace(freezer.commands.disconnected(Client("other"))) == []


def test_a_freeze_waits_for_requests_in_flight(world: World, freezer: Freezer) -> None:
    world.device().submit(write(b"a"))
    world.device().submit(write(b"b"))
    steps = [str(step) for step in walk(freezer.commands.freeze(freezer.client, BlockdevFreeze("d0")))]
    assert steps == ["waits: drain d0", "waits: drain d0", "drain d0"]


def test_a_second_freeze_that_arrives_while_the_first_waits_is_refused() -> None:
    world = make_world(Profile.HARDENED)
    freezer = Freezer(world.machine)
    world.device().submit(write(b"a"))
    first = freezer.commands.freeze(freezer.client, BlockdevFreeze("d0"))
    until(first, Phase.DRAIN)
    with pytest.raises(UndefinedError):
        other_client(freezer).freeze("d0")
