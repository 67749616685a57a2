"""The list transaction as QEMU shipped it, one test a sentence.

Sources: semantics.md, section 3, "What was merged instead"; section 1 for what it shares with the group
snapshot; QEMU's QAPI schema for `transaction`, its actions and `mode`.
"""

import pytest

from blockops.commands.profile import Mode, Profile
from blockops.errors import DeviceInUse, DeviceNotActive, DeviceNotFound, OpenFileFailed, UndefinedError
from blockops.jobs.mirror import Sync
from blockops.qmp.dispatch import Server
from blockops.steps import Phase, run
from proposals.merged_transaction import Abort, MergedTransaction, MergedTransactionCommands, SnapshotSync
from proposals.merged_transaction.arguments import Transaction, TransactionAction
from tests.commands.worlds import World, make_world, read, trace, write

BOTH = pytest.mark.parametrize("profile", Profile)
PAIR = (SnapshotSync("d0", "/vm/s0.qcow2"), SnapshotSync("d1", "/vm/s1.qcow2"))


def merged(profile: Profile) -> tuple[World, MergedTransaction]:
    world = make_world(profile)
    return world, MergedTransaction(world.machine, profile)


def snapshot(number: int) -> dict[str, object]:
    data = {"device": f"d{number}", "snapshot-file": f"/vm/s{number}.qcow2"}
    return {"type": "blockdev-snapshot-sync", "data": data}


# ------------------------------------------------------------------------------------- all, or nothing


@BOTH
def test_every_action_is_carried_out(profile: Profile) -> None:
    world, design = merged(profile)
    design.transaction(PAIR)
    assert (world.chain("d0"), world.chain("d1")) == (["s0.qcow2", "d0.qcow2"], ["s1.qcow2", "d1.qcow2"])


@BOTH
def test_an_empty_list_succeeds(profile: Profile) -> None:
    world, design = merged(profile)
    design.transaction([])
    assert world.chain() == ["d0.qcow2"]


@BOTH
def test_nothing_is_committed_before_the_last_action_is_prepared(profile: Profile) -> None:
    world = make_world(profile)
    commands = MergedTransactionCommands(world.machine, profile)
    actions = tuple(TransactionAction("blockdev-snapshot-sync", one) for one in PAIR)
    steps = trace(commands.transaction(Server(commands).connect("test").client, Transaction(actions)))
    first = steps.index("pivot d0")
    assert not [step for step in steps[first:] if step.startswith(("create", "open"))]


@BOTH
@pytest.mark.parametrize("failing", [0, 1])
def test_an_error_changes_no_device(profile: Profile, failing: int) -> None:
    world, design = merged(profile)
    world.host.fail("create", f"/vm/s{failing}.qcow2")
    with pytest.raises(OpenFileFailed) as failed:
        design.transaction(PAIR)
    assert failed.value.filename == f"/vm/s{failing}.qcow2"
    assert (world.chain("d0"), world.chain("d1")) == (["d0.qcow2"], ["d1.qcow2"])
    assert world.handles() == ["/vm/d0.qcow2", "/vm/d1.qcow2"]


@BOTH
def test_abort_fails_and_undoes_what_came_before_it(profile: Profile) -> None:
    world, design = merged(profile)
    with pytest.raises(UndefinedError, match="'abort'"):
        design.transaction([*PAIR, Abort()])
    assert world.chain() == ["d0.qcow2"]
    assert world.handles() == ["/vm/d0.qcow2", "/vm/d1.qcow2"]


def test_what_was_prepared_is_dropped_in_reverse_order() -> None:
    world, design = merged(Profile.AS_POSTED)
    world.host.log.clear()
    with pytest.raises(UndefinedError):
        design.transaction([*PAIR, Abort()])
    closed = [path for operation, path in world.host.log if operation == "close"]
    assert closed[-2:] == ["/vm/s1.qcow2", "/vm/s0.qcow2"]


def test_as_shipped_an_error_leaves_every_file_that_was_made_and_hardened_removes_them() -> None:
    for profile, left in ((Profile.AS_POSTED, True), (Profile.HARDENED, False)):
        world, design = merged(profile)
        with pytest.raises(UndefinedError):
            design.transaction([*PAIR, Abort()])
        assert ("s0.qcow2" in world.files()) is left


def test_as_shipped_the_whole_machine_is_held_still_from_the_first_check_on() -> None:
    world = make_world(Profile.AS_POSTED)
    commands = MergedTransactionCommands(world.machine, Profile.AS_POSTED)
    connection = Server(commands).connect("test")
    steps = connection.execute({"execute": "transaction", "arguments": {"actions": [snapshot(0)]}})
    for step in steps:
        if step.phase is Phase.CREATE:
            break
    request = write(b"later")
    world.device("d1").submit(request)
    assert request in world.device("d1").queue
    run(steps)
    assert request in world.device("d1").in_flight


# ------------------------------------------------------------------------------------------------ mode


@BOTH
def test_existing_opens_what_is_there_without_looking_at_its_content(profile: Profile) -> None:
    world, design = merged(profile)
    world.create("/vm/s0.qcow2", backing_file="/vm/d1.qcow2", backing_format="qcow2")
    design.transaction([SnapshotSync("d0", "/vm/s0.qcow2", mode=Mode.EXISTING)])
    assert world.chain() == ["s0.qcow2", "d0.qcow2"]
    assert world.recorded("/vm/s0.qcow2") == ("/vm/d1.qcow2", "qcow2")


def test_absolute_paths_is_the_default_and_as_shipped_wipes_what_is_there() -> None:
    for profile in Profile:
        world, design = merged(profile)
        world.create("/vm/s1.qcow2", size=4096)
        if profile is Profile.HARDENED:
            with pytest.raises(OpenFileFailed, match="File exists"):
                design.transaction(PAIR)
        else:
            design.transaction(PAIR)
            assert world.recorded("/vm/s1.qcow2") == ("/vm/d1.qcow2", "qcow2")


def test_as_shipped_the_same_device_twice_stacks_and_hardened_refuses() -> None:
    twice = (SnapshotSync("d0", "/vm/a"), SnapshotSync("d0", "/vm/b"))
    world, design = merged(Profile.AS_POSTED)
    design.transaction(twice)
    assert world.chain() == ["b", "a", "d0.qcow2"]
    assert world.recorded("/vm/b") == ("/vm/d0.qcow2", "qcow2")
    with pytest.raises(DeviceInUse):
        merged(Profile.HARDENED)[1].transaction(twice)


# ----------------------------------------------------------------------------------- beside each other


@BOTH
def test_a_plain_snapshot_is_a_transaction_of_one(profile: Profile) -> None:
    """Unlike the predecessor's (semantics.md, section 1), its error never kills the device."""
    world, design = merged(profile)
    world.host.fail("open", "/vm/s0.qcow2")
    with pytest.raises(OpenFileFailed):
        design.snapshot("d0", "/vm/s0.qcow2")
    world.device().submit(request := read())
    world.device().complete(request)
    assert request.error is None


@BOTH
def test_a_device_with_a_job_is_in_use_for_a_transaction(profile: Profile) -> None:
    world, design = merged(profile)
    design.mirror("d1", "/vm/dst/t1.qcow2", Sync.FULL)
    with pytest.raises(DeviceInUse):
        design.transaction(PAIR)
    assert world.chain("d0") == ["d0.qcow2"]


@BOTH
def test_a_job_outlives_its_client(profile: Profile) -> None:
    world = make_world(profile)
    commands = MergedTransactionCommands(world.machine, profile)
    connection = Server(commands).connect("test")
    arguments = {"device": "d0", "target": "/vm/dst/t0.qcow2", "sync": "full"}
    run(connection.execute({"execute": "drive-mirror", "arguments": arguments}))
    run(connection.disconnect())
    assert [job.device for job in world.machine.background] == ["d0"]


@BOTH
def test_a_transaction_and_its_answer_over_the_wire(profile: Profile) -> None:
    world = make_world(profile)
    connection = Server(MergedTransactionCommands(world.machine, profile)).connect("test")
    arguments: dict[str, object] = {"actions": [snapshot(0), snapshot(1)]}
    assert run(connection.execute({"execute": "transaction", "arguments": arguments})) == {"return": {}}
    for wrong, desc in (
        ({"type": "drive-mirror", "data": {}}, "actions[0].type"),
        ({"type": "abort", "data": {"x": 1}}, "actions[0].data.x"),
        ({"type": "abort"}, "actions[0].data"),
    ):
        reply = run(connection.execute({"execute": "transaction", "arguments": {"actions": [wrong]}}))
        assert desc in str(reply["error"])


@BOTH
def test_what_has_no_job_and_what_does_not_exist_is_told_apart(profile: Profile) -> None:
    _, design = merged(profile)
    with pytest.raises(DeviceNotActive):
        design.complete("d0")
    with pytest.raises(DeviceNotFound):
        design.mirror("d7", "/vm/dst/t.qcow2")


@BOTH
def test_a_migration_of_several_disks_is_one_instant_and_as_many_switches(profile: Profile) -> None:
    world, design = merged(profile)
    design.transaction(PAIR)
    for number in (0, 1):
        design.mirror(f"d{number}", f"/vm/dst/s{number}.qcow2", Sync.TOP)
    design.run_jobs()
    design.complete("d0")
    design.run_jobs()
    assert (world.chain("d0")[0], world.chain("d1")[0]) == ("dst/s0.qcow2", "s1.qcow2")
    design.cancel("d1")
    design.run_jobs()
    names = [event.name for event in design.commands.events]
    assert names == ["BLOCK_JOB_READY"] * 2 + ["BLOCK_JOB_COMPLETED"] * 2
    assert world.chain("d1")[0] == "s1.qcow2"
