"""The state tables of the transaction session and of the freezes, walked at random.

The model of each machine is its own table: what the table has must happen, what it has not must be an
error that changes nothing.
"""

import itertools

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from blockops.commands.profile import Profile
from blockops.errors import BlockError, UndefinedError
from blockops.qmp.command import Client
from blockops.steps import run
from proposals.drive_migrate import state as drive_migrate
from proposals.freeze import Freezer
from proposals.freeze import state as freeze
from proposals.group_snapshot import state as group_snapshot
from proposals.transaction import Transaction
from proposals.transaction import state as transaction
from tests.commands.worlds import World, make_world

Session, State, Move = transaction.Session, transaction.State, transaction.Move

ILLEGAL = [pair for pair in itertools.product(State, Move) if pair not in transaction.TABLE]


@pytest.mark.parametrize(("state", "move"), ILLEGAL, ids=lambda value: value.name.lower())
def test_a_session_refuses_every_move_that_its_table_does_not_have(
    state: transaction.State, move: transaction.Move
) -> None:
    owner = None if state is State.IDLE else Client("owner")
    session = Session(state, owner)
    with pytest.raises(UndefinedError):
        session.move(move, owner or Client("somebody"))
    assert (session.state, session.owner) == (state, owner)


@pytest.mark.parametrize(("state", "move"), transaction.TABLE, ids=lambda value: value.name.lower())
def test_a_session_makes_every_move_that_its_table_has_for_its_owner_alone(
    state: transaction.State, move: transaction.Move
) -> None:
    owner, stranger = Client("same name"), Client("same name")
    session = Session(state, None if state is State.IDLE else owner)
    if state is not State.IDLE:
        with pytest.raises(UndefinedError, match="another client's"):
            session.move(move, stranger)
    session.move(move, owner)
    assert session.state is transaction.TABLE[state, move]
    assert session.owner is (None if session.state is State.IDLE else owner)


@pytest.mark.parametrize("state", [state for state in State if state is not State.IDLE])
def test_every_state_of_a_session_leads_back_to_idle(state: transaction.State) -> None:
    reached = {state}
    for _ in State:
        reached |= {after for (before, _), after in transaction.TABLE.items() if before in reached}
    assert State.IDLE in reached


@pytest.mark.parametrize("module", [group_snapshot, drive_migrate], ids=["group-snapshot", "drive-migrate"])
def test_a_proposal_without_open_states_has_one(module: object) -> None:
    states, table = list(module.State), module.TABLE  # type: ignore[attr-defined]
    assert len(states) == 1
    assert set(table.values()) == set(states)
    assert {move for _, move in table} == set(module.Move)  # type: ignore[attr-defined]


class Sessions(RuleBasedStateMachine):
    """Two clients start, queue, commit, abort and disconnect; the model is `transaction.TABLE`."""

    profile = Profile.HARDENED

    def __init__(self) -> None:
        super().__init__()
        self.world: World = make_world(self.profile)
        first = Transaction(self.world.machine, self.profile)
        second = Transaction(self.world.machine, self.profile)
        second.commands = first.commands
        self.clients = [first, second]
        self.owner: int | None = None
        self.queued: dict[str, str] = {}
        self.shown = {"d0": ["d0.qcow2"], "d1": ["d1.qcow2"]}
        self.serial = 0

    def attempt(self, who: int, call: str, *arguments: str) -> bool:
        try:
            getattr(self.clients[who], call)(*arguments)
        except BlockError:
            return False
        return True

    @rule(who=st.integers(0, 1))
    def start(self, who: int) -> None:
        assert self.attempt(who, "start") == (self.owner is None)
        if self.owner is None:
            self.owner = who

    @rule(who=st.integers(0, 1), device=st.sampled_from(["d0", "d1"]), works=st.booleans())
    def snapshot(self, who: int, device: str, works: bool) -> None:
        self.serial += 1
        name = f"s{self.serial}" if works else f"nowhere/s{self.serial}"
        enrols = who == self.owner
        free = device not in self.queued
        assert self.attempt(who, "snapshot", device, f"/vm/{name}") == (works and free)
        if works and free and enrols:
            self.queued[device] = name
        elif works and free:
            self.shown[device] = [name, *self.shown[device]]

    @rule(who=st.integers(0, 1), end=st.sampled_from(["commit", "abort"]))
    def end(self, who: int, end: str) -> None:
        assert self.attempt(who, end) == (who == self.owner)
        if who == self.owner:
            self.over(committed=end == "commit")

    @rule(who=st.integers(0, 1))
    def disconnect(self, who: int) -> None:
        self.clients[who].disconnect()
        self.clients[who].client = Client("a new connection")
        if who == self.owner:
            self.over(committed=False)

    def over(self, *, committed: bool) -> None:
        if committed:
            for device, name in self.queued.items():
                self.shown[device] = [name, *self.shown[device]]
        self.queued.clear()
        self.owner = None

    @invariant()
    def devices_show_what_was_committed(self) -> None:
        assert {name: self.world.chain(name) for name in self.shown} == self.shown

    @invariant()
    def only_queued_devices_are_reserved(self) -> None:
        reserved = {name for name, device in self.world.machine.devices.items() if device.user}
        assert reserved == set(self.queued)

    @invariant()
    def no_handle_is_stray(self) -> None:
        wanted = [f"/vm/{name}" for chain in self.shown.values() for name in chain]
        assert self.world.handles() == sorted([*wanted, *(f"/vm/{name}" for name in self.queued.values())])

    @invariant()
    def hardened_keeps_no_file_that_is_not_used(self) -> None:
        wanted = {name for chain in self.shown.values() for name in chain} | set(self.queued.values())
        assert set(self.world.files()) == wanted


class Freezes(RuleBasedStateMachine):
    """Two clients freeze, thaw and disconnect; the model is `freeze.TABLE`."""

    def __init__(self) -> None:
        super().__init__()
        self.world = make_world(Profile.HARDENED)
        first = Freezer(self.world.machine)
        second = Freezer(self.world.machine)
        second.commands = first.commands
        self.clients = [first, second]
        self.owners: dict[str, int] = {}

    def expected(self, device: str, move: freeze.Move) -> bool:
        state = freeze.State.FROZEN if device in self.owners else freeze.State.RUNNING
        return (state, move) in freeze.TABLE

    @rule(
        who=st.integers(0, 1),
        device=st.sampled_from(["d0", "d1"]),
        move=st.sampled_from(["freeze", "unfreeze"]),
    )
    def move(self, who: int, device: str, move: str) -> None:
        legal = self.expected(device, freeze.Move(move))
        try:
            getattr(self.clients[who], move)(device)
        except UndefinedError:
            assert not legal
            return
        assert legal
        if move == "freeze":
            self.owners[device] = who
        else:
            del self.owners[device]

    @rule(who=st.integers(0, 1))
    def disconnect(self, who: int) -> None:
        before = len(self.clients[0].commands.events)
        self.clients[who].disconnect()
        self.clients[who].client = Client("a new connection")
        thawed = [device for device, owner in self.owners.items() if owner == who]
        events = self.clients[0].commands.events[before:]
        assert [event.data["device"] for event in events] == thawed
        self.owners = {device: owner for device, owner in self.owners.items() if owner != who}

    @rule(device=st.sampled_from(["d0", "d1"]))
    def snapshot(self, device: str) -> None:
        serial = len(self.world.files())
        self.clients[0].snapshot(device, f"/vm/s{serial}")

    @invariant()
    def a_device_is_held_exactly_while_it_is_frozen(self) -> None:
        frozen = {name for name, device in self.world.machine.devices.items() if device.holds}
        assert frozen == set(self.owners)
        rows = run_query(self.clients[0])
        assert {row["device"] for row in rows if row["frozen"]} == frozen


def run_query(client: Freezer) -> list[dict[str, object]]:
    command = client.commands.commands["query-block"]
    rows = run(command.handler(client.client, None))
    assert isinstance(rows, list)
    return rows


TestSessions = Sessions.TestCase
TestFreezes = Freezes.TestCase


FREEZE_ILLEGAL = [pair for pair in itertools.product(freeze.State, freeze.Move) if pair not in freeze.TABLE]


@pytest.mark.parametrize(("state", "move"), FREEZE_ILLEGAL, ids=lambda value: value.name.lower())
def test_a_freeze_refuses_every_move_that_its_table_does_not_have(
    state: freeze.State, move: freeze.Move
) -> None:
    client = Client("test")
    owners = {"d0": client} if state is freeze.State.FROZEN else {}
    freezes = freeze.Freezes(dict(owners))
    with pytest.raises(UndefinedError, match=f"'d0' is {state.value}"):
        freezes.move("d0", move, client)
    assert freezes.owners == owners
