"""The recorded transaction: its moves, its record, and that the lab finds no violation of what it claims."""

import contextlib
import itertools
from collections.abc import Callable

import attrs
import pytest

from blockops.device import Device
from blockops.errors import CommandError, HostError
from blockops.graph.formats import NewImage, create_image
from blockops.host.memory import MemoryDisk, MemoryFolder
from blockops.lab.exploring import record, space
from blockops.lab.judging import Judging
from blockops.lab.results import Verdict
from blockops.lab.world import World
from blockops.machine import Machine
from blockops.management.contestant import Inexpressible, Manager
from blockops.management.use_cases import USE_CASES
from blockops.steps import run
from proposals.recorded_transaction import RecordedTransaction
from proposals.recorded_transaction import record as record_module
from proposals.recorded_transaction.arguments import (
    ActionData,
    ActionType,
    ActionWanted,
    Ends,
    Finish,
    Transaction,
)
from proposals.recorded_transaction.entry import CLAIMS, ENTRY
from proposals.recorded_transaction.management import recover
from proposals.recorded_transaction.record import Outcome, RecordFailed, read_record
from proposals.recorded_transaction.state import TABLE, Move, State
from tests.lab.cases import CONTESTANTS, setting
from tests.management.scene import Scene

SNAPSHOT, REOPEN, MIRROR, SWITCH = ActionType
RECORD = "the.record"


@pytest.fixture
def client() -> RecordedTransaction:
    return new_client()


def new_client() -> RecordedTransaction:
    host = MemoryFolder(MemoryDisk())
    machine = Machine(host)
    for name in ("d0", "d1", "m0", "m1"):
        create_image(host, NewImage(f"{name}.qcow2", "qcow2", 1 << 20), durable=True)
    for name in ("d0", "d1"):
        machine.attach(name, f"{name}.qcow2")
    return RecordedTransaction(machine)


def shown(client: RecordedTransaction) -> list[str]:
    return [device.medium.source.path for device in client.machine.devices.values()]


def host_of(client: RecordedTransaction) -> MemoryFolder:
    assert isinstance(client.machine.host, MemoryFolder)
    return client.machine.host


BOTH = [(SNAPSHOT, "d0", "s0.qcow2"), (SNAPSHOT, "d1", "s1.qcow2")]


# ------------------------------------------------------------------------------------------- the claims


@pytest.mark.parametrize("use_case", USE_CASES)
def test_no_single_fault_breaks_what_it_claims(use_case: str) -> None:
    """Every fault of every family, at every point, for two devices (or as many as the use case has)."""
    (contestant,) = (f"{ENTRY.id}.hardened.{manager.value}" for manager in Manager if CLAIMS[manager])
    devices = USE_CASES[use_case].device_counts[0]
    start = setting(contestant, use_case, World(devices=devices))
    assert not isinstance(start.contestant.program(use_case), Inexpressible)
    listed = space(start, record(start), None, complete=True)
    judging = Judging(start, listed)
    broken = [
        (found.case, law, judgement.sentence)
        for found in map(judging.judge, listed.faults)
        for law, judgement in found.judgements.items()
        if law in CLAIMS[Manager.CAREFUL] and judgement.verdict is Verdict.VIOLATED
    ]
    assert broken == []


def test_it_claims_no_less_than_was_asked() -> None:
    asked = {
        "all-or-nothing",
        "one-instant",
        "content",
        "nothing-lost",
        "released",
        "truthful",
        "recoverable",
    }
    assert asked <= CLAIMS[Manager.CAREFUL]


def test_the_lab_sees_it_when_the_decision_comes_before_the_flush(monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken on purpose: a record that says "done" from the start lets a restart find half-made images."""
    encoded = record_module._encoded
    monkeypatch.setattr(
        record_module, "_encoded", lambda one: encoded(attrs.evolve(one, outcome=Outcome.DONE))
    )
    start = setting(f"{ENTRY.id}.hardened.careful", "group-snapshot", World(devices=2))
    listed = space(start, record(start), frozenset({"kill"}), complete=True)
    judging = Judging(start, listed)
    broken = {
        law
        for found in map(judging.judge, listed.faults)
        for law, judgement in found.judgements.items()
        if judgement.verdict is Verdict.VIOLATED
    }
    assert {"all-or-nothing", "content"} <= broken


# ------------------------------------------------------------------------------------------- the record


def test_the_record_says_done_only_when_it_is(client: RecordedTransaction) -> None:
    client.transaction("t", BOTH, RECORD)
    found = read_record(host_of(client), RECORD)
    assert found is not None
    assert (found.id, found.outcome) == ("t", Outcome.DONE)
    assert [image.path for image in found.images.values()] == shown(client)
    assert set(found.made) == set(shown(client))


@pytest.mark.parametrize("lost", ["d0", "d1"])
def test_whenever_a_device_is_unplugged_the_record_says_what_the_others_show(
    lost: str,
) -> None:
    for step in itertools.count():
        client = new_client()
        (other,) = (device for name, device in client.machine.devices.items() if name != lost)
        if not unplugged_midway(client, lost, step, other):
            break
        found = read_record(host_of(client), RECORD)
        done = found is not None and found.outcome is Outcome.DONE
        assert done == (other.medium.source.path == f"/vm/s{other.name[1]}.qcow2")
        assert done or found is None


def unplugged_midway(client: RecordedTransaction, lost: str, step: int, other: Device) -> bool:
    """Unplug a device after so many steps of a transaction; return whether it has so many.

    As long as the record says more than is shown, whoever dies then must find that nobody has written.
    """
    wanted = Transaction("t", tuple(ActionWanted(k, ActionData(d, f)) for k, d, f in BOTH), RECORD)
    number = 0
    with contextlib.suppress(CommandError):
        for number, _ in enumerate(client.commands.transaction(client.client, wanted)):
            if number == step:
                client.machine.detach(lost)
            found = read_record(host_of(client), RECORD)
            done = found is not None and found.outcome is Outcome.DONE
            assert other.holds or done == (other.medium.source.path != f"/vm/{other.name}.qcow2")
    return number >= step


def test_sent_again_it_is_not_done_again(client: RecordedTransaction) -> None:
    client.transaction("t", BOTH, RECORD)
    before = shown(client)
    host_of(client).unlink(RECORD)
    assert client.transaction("t", BOTH, RECORD) == "done"
    assert shown(client) == before
    assert not host_of(client).exists(RECORD)


def test_a_new_process_knows_it_from_the_record(client: RecordedTransaction) -> None:
    client.transaction("t", BOTH, RECORD)
    client.machine.close()
    machine = Machine(host_of(client))
    for name in ("d0", "d1"):
        machine.attach(name, f"s{name[1]}.qcow2")
    assert RecordedTransaction(machine).transaction("t", BOTH, RECORD) == "done"


def test_an_id_or_a_record_of_another_transaction_is_refused(client: RecordedTransaction) -> None:
    client.transaction("t", BOTH[:1], RECORD)
    with pytest.raises(CommandError, match="was another one"):
        client.transaction("t", BOTH[1:], "other.record")
    with pytest.raises(RecordFailed, match="is that of transaction 't'"):
        client.transaction("u", BOTH[1:], RECORD)
    assert client.query("t") == "done"
    assert client.query("u") == "none"


def test_a_rehearsal_leaves_nothing(client: RecordedTransaction) -> None:
    before = host_of(client).names(), shown(client)
    assert client.transaction("t", BOTH, RECORD, Finish.ABORT) == "aborted"
    assert (host_of(client).names(), shown(client)) == before


def test_an_action_that_fails_leaves_nothing_and_the_id_is_free(client: RecordedTransaction) -> None:
    before = host_of(client).names(), shown(client)
    with pytest.raises(CommandError, match=r"nowhere/s1\.qcow2.*'d1'"):
        client.transaction("t", [BOTH[0], (SNAPSHOT, "d1", "nowhere/s1.qcow2")], RECORD)
    assert (host_of(client).names(), shown(client)) == before
    assert client.transaction("t", BOTH, RECORD) == "done"


def test_nobodys_file_is_overwritten(client: RecordedTransaction) -> None:
    before = host_of(client).names()
    with pytest.raises(CommandError, match=r"m0\.qcow2.*File exists"):
        client.transaction("t", [(SNAPSHOT, "d0", "m0.qcow2")], RECORD)
    assert host_of(client).names() == before


@pytest.mark.parametrize(
    "written", [b"", b"i", b'd {"id": "t", "im', b"\0" * 512, b'x {"id": "t", "images": {}, "made": []}']
)
def test_a_record_that_is_not_whole_says_that_nothing_was_done(written: bytes) -> None:
    host = MemoryFolder(MemoryDisk())
    file = host.create(RECORD, replace=False)
    if written:
        file.write(0, written)
    found = read_record(host, RECORD)
    assert found is not None
    assert found.outcome is not Outcome.DONE
    assert not found.made


def test_recovery_can_be_run_again_after_any_step_of_it() -> None:
    use_case = USE_CASES["group-snapshot"]
    for steps in range(8):
        scene = Scene(CONTESTANTS[f"{ENTRY.id}.hardened.careful"])
        wish = use_case.wish(scene.wishes)
        program = scene.program(use_case)
        while "done" not in next(program).subject:
            continue
        program.close()
        scene.silent = True
        half = recover(scene.desk(), wish)
        for _ in range(steps):
            if next(half, None) is None:
                break
        half.close()
        run(recover(scene.desk(), wish))
        assert scene.configured() == [disk.overlay for disk in scene.wishes]
        assert not scene.disk.exists("/vm/management/transaction.record")


# -------------------------------------------------------------------------------------------- the moves


def in_state(client: RecordedTransaction, state: State) -> None:
    if state is not State.PLAIN:
        ends = Ends.DISCONNECTED if state is State.FOLLOWED else Ends.STOPPED
        client.transaction("before", [(MIRROR, "d0", "m0.qcow2", ends)], "before.record")


MOVES: dict[Move, Callable[[RecordedTransaction], object]] = {
    Move.SNAPSHOT: lambda c: c.transaction("t", [(SNAPSHOT, "d0", "s0.qcow2")], RECORD),
    Move.REOPEN: lambda c: c.transaction("t", [(REOPEN, "d0", "m1.qcow2")], RECORD),
    Move.MIRROR: lambda c: c.transaction("t", [(MIRROR, "d0", "m1.qcow2")], RECORD),
    Move.FOLLOW: lambda c: c.transaction("t", [(MIRROR, "d0", "m1.qcow2", Ends.DISCONNECTED)], RECORD),
    Move.SWITCH: lambda c: c.transaction("t", [(SWITCH, "d0", "m0.qcow2")], RECORD),
    Move.STOP_MIRROR: lambda c: c.stop_mirror("d0"),
    Move.DISCONNECT: lambda c: c.disconnect(),
}


@pytest.mark.parametrize("move", Move)
@pytest.mark.parametrize("state", State)
def test_each_move_does_what_the_table_says(client: RecordedTransaction, state: State, move: Move) -> None:
    in_state(client, state)
    before, files = shown(client), host_of(client).names()
    if (state, move) in TABLE:
        MOVES[move](client)
        assert client.commands.memory.state_of("d0") is TABLE[state, move]
        return
    with pytest.raises(CommandError):
        MOVES[move](client)
    assert (shown(client), host_of(client).names()) == (before, files)
    assert client.commands.memory.state_of("d0") is state


def test_a_switch_goes_only_where_the_mirror_went(client: RecordedTransaction) -> None:
    client.transaction("m", [(MIRROR, "d0", "m0.qcow2")], "m.record")
    with pytest.raises(CommandError, match=r"m1\.qcow2.*does not mirror to it"):
        client.transaction("t", [(SWITCH, "d0", "m1.qcow2")], RECORD)
    assert client.transaction("t", [(SWITCH, "d0", "m0.qcow2")], RECORD) == "done"
    assert shown(client)[0] == "/vm/m0.qcow2"


def test_a_mirror_below_a_snapshot_is_refused(client: RecordedTransaction) -> None:
    with pytest.raises(CommandError, match="mirror, snapshot"):
        client.transaction("t", [(MIRROR, "d0", "m0.qcow2"), (SNAPSHOT, "d0", "s0.qcow2")], RECORD)


# ----------------------------------------------------------------------- the record's own disk misbehaves


class Troubled(MemoryFolder):
    """Fails some operations on the record."""

    failing: frozenset[str] = frozenset()

    def unlink(self, name: str) -> None:
        if "unlink" in self.failing and name == RECORD:
            raise HostError("unlink", self.resolve(name), 5)
        super().unlink(name)

    def sync(self, name: str = ".") -> None:
        if "sync" in self.failing:
            raise HostError("sync", self.resolve(name), 5)
        super().sync(name)


def test_a_record_that_cannot_be_made_durable_stops_everything_before_it_begins() -> None:
    host = Troubled(MemoryDisk())
    create_image(host, NewImage("d0.qcow2", "qcow2", 1 << 20), durable=True)
    machine = Machine(host)
    machine.attach("d0", "d0.qcow2")
    client = RecordedTransaction(machine)
    before = host.names()
    host.failing = frozenset({"sync", "unlink"})
    with pytest.raises(RecordFailed, match=r"could not remove the record 'the\.record'"):
        client.transaction("t", BOTH[:1], RECORD)
    found = read_record(host, RECORD)
    assert found is not None
    assert found.outcome is Outcome.INTENDED
    assert set(host.names()) - set(before) == {"/vm/the.record"}
    host.failing = frozenset()
    assert client.transaction("t", BOTH[:1], RECORD) == "done"
