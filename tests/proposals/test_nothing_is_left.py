"""Whatever is asked and whatever fails: only what devices show is open, nothing is held or reserved."""

import contextlib

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blockops.commands.profile import Mode, Profile
from blockops.errors import BlockError, CommandError
from blockops.graph.graph import everything_below
from blockops.graph.node import ImageNode
from proposals.drive_migrate import DriveMigration
from proposals.group_snapshot import GroupSnapshot, SnapshotDev
from proposals.transaction import Transaction
from tests.commands.worlds import SIZE, World, make_world

THERE = ("/vm/flat", "/vm/over-d0", "/vm/big", "/vm/raw", "/vm/d0.qcow2", "/vm/d1.qcow2")
ABSENT = ("/vm/n1", "/vm/n2", "n3", "/vm/nowhere/n4")


@attrs.frozen
class Asked:
    """One command: a method of the API, and what it is called with."""

    command: str
    device: str
    filename: str
    format: str | None
    mode: Mode | None


@attrs.frozen
class Trouble:
    """A host operation that fails, after *skip* successes, *times* times or for ever."""

    operation: str
    path: str
    skip: int
    times: int | None


@attrs.frozen
class Round:
    """Commands one after the other, perhaps in a transaction that *end* ends."""

    asked: list[Asked]
    trouble: list[Trouble]
    end: str | None


operations = ["open", "read", "write", "flush", "lock", "create", "unlink", "sync", "truncate"]
asked = st.builds(
    Asked,
    st.sampled_from(["snapshot", "mirror", "reopen"]),
    st.sampled_from(["d0", "d1"]),
    st.sampled_from(THERE + ABSENT),
    st.sampled_from([None, "qcow2", "raw", "vmdk"]),
    st.sampled_from([None, None, *Mode]),
)
trouble = st.builds(
    Trouble,
    st.sampled_from(operations),
    st.sampled_from(THERE + ABSENT),
    st.integers(0, 5),
    st.sampled_from([1, 2, None]),
)
rounds = st.builds(
    Round,
    st.lists(asked, min_size=1, max_size=4),
    st.lists(trouble, max_size=2),
    st.sampled_from([None, "commit", "commit", "abort", "disconnect"]),
)


def prepared(profile: Profile) -> World:
    world = make_world(profile)
    world.create("/vm/flat")
    world.create("/vm/over-d0", backing_file="d0.qcow2", backing_format="qcow2")
    world.create("/vm/big", size=2 * SIZE)
    world.create("/vm/raw", format="raw")
    return world


def ask(transaction: Transaction, one: Asked) -> None:
    format = one.format or ("qcow2" if one.command == "snapshot" else None)
    with contextlib.suppress(CommandError):
        getattr(transaction, one.command)(one.device, one.filename, format, one.mode)


def plant(world: World, trouble: list[Trouble]) -> None:
    world.host.faults.clear()
    for one in trouble:
        world.host.fail(one.operation, one.path, skip=one.skip, times=one.times)


def play(world: World, transaction: Transaction, round_: Round) -> None:
    plant(world, round_.trouble)
    if round_.end is not None:
        transaction.start()
    for wanted in round_.asked:
        ask(transaction, wanted)
        write_everywhere(world)
    if round_.end is not None:
        with contextlib.suppress(CommandError):
            getattr(transaction, round_.end)()


def write_everywhere(world: World) -> None:
    for device in world.machine.devices.values():
        with contextlib.suppress(BlockError):
            device.write(4000, b"guest" * 50)
            device.read(0, SIZE)


def demand_order(world: World) -> None:
    graph = world.machine.graph
    shown = [node for top in graph.tops.values() if top is not None for node in everything_below(top)]
    wanted = {id(node) for node in shown if isinstance(node, ImageNode)}
    assert {id(node) for node in graph.open_nodes()} == wanted
    assert len(world.handles()) == len(wanted)
    assert graph.plans == []
    for device in world.machine.devices.values():
        assert (device.holds, device.user, list(device.queue), device.in_flight) == ([], None, [], [])


@pytest.mark.parametrize("profile", list(Profile), ids=lambda profile: profile.value)
@given(played=st.lists(rounds, min_size=1, max_size=3))
@settings(max_examples=60, deadline=None)
def test_after_every_round_nothing_is_left_open_held_or_reserved(
    profile: Profile, played: list[Round]
) -> None:
    world = prepared(profile)
    transaction = Transaction(world.machine, profile)
    for round_ in played:
        play(world, transaction, round_)
        demand_order(world)
    world.host.faults.clear()
    world.machine.close()
    assert world.handles() == []


@pytest.mark.parametrize("profile", list(Profile), ids=lambda profile: profile.value)
@given(played=rounds)
@settings(max_examples=60, deadline=None)
def test_neither_does_a_group_snapshot_leave_anything(profile: Profile, played: Round) -> None:
    world = prepared(profile)
    plant(world, played.trouble)
    entries = [SnapshotDev(one.device, one.filename, one.format or "qcow2", one.mode) for one in played.asked]
    with contextlib.suppress(CommandError):
        GroupSnapshot(world.machine, profile).group_snapshot(entries)
    write_everywhere(world)
    demand_order(world)


@pytest.mark.parametrize("profile", list(Profile), ids=lambda profile: profile.value)
@given(played=rounds, source=st.sampled_from(THERE))
@settings(max_examples=60, deadline=None)
def test_nor_does_a_drive_migrate(profile: Profile, played: Round, source: str) -> None:
    world = prepared(profile)
    plant(world, played.trouble)
    for one in played.asked:
        with contextlib.suppress(CommandError):
            DriveMigration(world.machine, profile).migrate(
                one.device, one.filename, source, dest_format=one.format, mode=one.mode
            )
        write_everywhere(world)
        demand_order(world)
