"""One server over one proposal: any JSON value in, a QMP reply out."""

import pytest

from blockops.commands.profile import Profile
from blockops.qmp.command import Client, Command, NoArguments
from blockops.qmp.dispatch import Server
from blockops.qmp.reply import Style
from blockops.steps import Phase, Step, Steps, run
from proposals.freeze import FreezeCommands
from proposals.group_snapshot import GroupSnapshotCommands
from proposals.transaction import TransactionCommands
from tests.commands.worlds import World, make_world, trace
from tests.qmp.servers import CONTESTANTS, IDS, PROPOSALS

SNAPSHOT = {"execute": "blockdev-snapshot-sync", "arguments": {"device": "d0", "snapshot-file": "/vm/s0"}}


def test_a_command_without_a_value_returns_an_empty_object(world: World) -> None:
    connection = Server(GroupSnapshotCommands(world.machine, world.profile)).connect("test")
    assert run(connection.execute(SNAPSHOT)) == {"return": {}}
    assert world.chain() == ["s0", "d0.qcow2"]


@pytest.mark.parametrize("given", [0, None, "x", [1], {"a": {}}, False])
def test_the_id_is_echoed_and_an_absent_one_stays_absent(hardened: World, given: object) -> None:
    connection = Server(GroupSnapshotCommands(hardened.machine, Profile.HARDENED)).connect("test")
    assert run(connection.execute(SNAPSHOT | {"id": given})) == {"return": {}, "id": given}
    reply = run(connection.execute(SNAPSHOT | {"id": given}))
    assert reply["id"] == given
    assert set(reply) == {"error", "id"}
    assert set(run(connection.execute({}))) == {"error"}


@pytest.mark.parametrize("profile", list(Profile), ids=lambda profile: profile.value)
def test_a_server_speaks_as_in_its_profile_s_time_unless_told(profile: Profile) -> None:
    world = make_world(profile)
    proposal = GroupSnapshotCommands(world.machine, profile)
    message = SNAPSHOT | {"arguments": {"device": "d9", "snapshot-file": "/s"}}

    def data(style: Style | None) -> bool:
        reply = run(Server(proposal, style).connect("test").execute(message))
        return "data" in reply["error"]  # type: ignore[operator]

    assert data(None) == (profile is Profile.AS_POSTED)
    assert data(Style.OF_2012)
    assert not data(Style.TODAY)


@pytest.mark.parametrize(
    ("message", "desc"),
    [
        (None, "QMP input must be a JSON object"),
        ({}, "QMP input member 'execute' is missing"),
        ({"execute": 1}, "QMP input member 'execute' must be a string"),
        ({"execute": "query-block", "exec-oob": 1}, "QMP input member 'exec-oob' is unexpected"),
        ({"execute": "query-block", "arguments": []}, "QMP input member 'arguments' must be a JSON object"),
        ({"execute": "query-block", "arguments": {"x": 1}}, "Parameter 'x' is unexpected"),
        ({"execute": "eject"}, "The command eject has not been found"),
    ],
)
def test_what_is_no_command_is_answered(hardened: World, message: object, desc: str) -> None:
    connection = Server(GroupSnapshotCommands(hardened.machine, Profile.HARDENED)).connect("test")
    assert run(connection.execute(message))["error"]["desc"] == desc  # type: ignore[index]


@pytest.mark.parametrize(("name", "profile", "make"), CONTESTANTS, ids=IDS)
def test_every_contestant_tells_what_each_device_shows(name: str, profile: Profile, make: type) -> None:
    world = make_world(profile)
    world.machine.attach("empty", None)
    connection = Server(make(world.machine, profile)).connect("test")
    run(connection.execute(SNAPSHOT))
    rows = run(connection.execute({"execute": "query-block"}))["return"]
    common = {"locked": False, "removable": False, "type": "unknown"}
    if name == "freeze":
        common["frozen"] = False
    inserted = {"file": "/vm/s0", "ro": False, "drv": "qcow2", "backing_file": "/vm/d0.qcow2"}
    assert rows == [
        {"device": "d0", **common, "inserted": inserted},
        {"device": "d1", **common, "inserted": {"file": "/vm/d1.qcow2", "ro": False, "drv": "qcow2"}},
        {"device": "empty", **common},
    ]


@pytest.mark.parametrize(
    ("proposal", "names"),
    [
        ("group-snapshot", ["blkdev-group-snapshot-sync", "blockdev-snapshot-sync"]),
        ("drive-migrate", ["drive-migrate", "drive-reopen", "blockdev-snapshot-sync"]),
        (
            "transaction",
            [
                "blockdev-start-transaction",
                "blockdev-commit-transaction",
                "blockdev-abort-transaction",
                "blockdev-snapshot-sync",
                "drive-reopen",
                "drive-mirror",
            ],
        ),
        (
            "freeze",
            [
                "blockdev-freeze",
                "blockdev-unfreeze",
                "blockdev-snapshot-sync",
                "drive-reopen",
                "drive-mirror",
            ],
        ),
        (
            "merged-transaction",
            [
                "transaction",
                "blockdev-snapshot-sync",
                "drive-mirror",
                "block-job-complete",
                "block-job-cancel",
                "block-job-pause",
                "block-job-resume",
                "query-block-jobs",
            ],
        ),
        ("naive-loop", ["blockdev-snapshot-sync"]),
        ("stop-cont", ["stop", "cont", "blockdev-snapshot-sync"]),
    ],
)
@pytest.mark.parametrize("profile", list(Profile), ids=lambda profile: profile.value)
def test_a_proposal_has_the_page_s_commands_in_both_profiles_and_ours(
    proposal: str, names: list[str], profile: Profile
) -> None:
    made = PROPOSALS[proposal](make_world(profile).machine, profile)
    ours = ["query-block"] if proposal in ("naive-loop", "stop-cont") else ["block_resize", "query-block"]
    assert sorted(made.commands) == sorted([*names, *ours])
    assert all(name == command.name for name, command in made.commands.items())


@pytest.mark.parametrize(
    ("proposal", "message"),
    [
        ("group-snapshot", {"execute": "blockdev-group-snapshot-sync", "arguments": {"devlist": []}}),
        (
            "drive-migrate",
            {"execute": "drive-reopen", "arguments": {"device": "d0", "new-image-file": "/vm/d0.qcow2"}},
        ),
        ("freeze", {"execute": "drive-mirror", "arguments": {"device": "d0", "target": "/vm/m0"}}),
    ],
)
def test_the_patches_names_are_accepted(world: World, proposal: str, message: object) -> None:
    """Source: semantics.md, "Names"."""
    connection = Server(PROPOSALS[proposal](world.machine, world.profile)).connect("test")
    assert run(connection.execute(message)) == {"return": {}}


def test_the_schema_says_which_arguments_are_extensions() -> None:
    """Source: semantics.md, "`mode` is on nobody's page signature"; of what QEMU shipped it is one."""
    for name, profile, make in CONTESTANTS:
        if name == "merged-transaction":
            continue
        for command in make(make_world(profile).machine, profile).commands.values():
            has_mode = "mode" in [field.name for field in getattr(command.arguments, "__attrs_attrs__", ())]
            assert has_mode == ("mode" in command.extensions), command.name


def test_commands_run_one_at_a_time(hardened: World) -> None:
    server = Server(GroupSnapshotCommands(hardened.machine, Profile.HARDENED))
    first = server.connect("one").execute(SNAPSHOT)
    second = server.connect("two").execute({"execute": "query-block"})
    next(first)
    assert next(second) == next(second) == Step(Phase.WAIT, "monitor")
    run(first)
    assert hardened.chain() == ["s0", "d0.qcow2"]
    assert "return" in run(second)


def test_a_disconnect_waits_for_the_command_that_is_under_way(hardened: World) -> None:
    proposal = TransactionCommands(hardened.machine, Profile.HARDENED)
    server = Server(proposal)
    connection = server.connect("one")
    run(connection.execute({"execute": "blockdev-start-transaction"}))
    command = connection.execute(SNAPSHOT)
    next(command)
    end = connection.disconnect()
    assert next(end).phase is Phase.WAIT
    run(command)
    run(end)
    assert hardened.files() == ["d0.qcow2", "d1.qcow2"]
    assert hardened.device().user is None


def test_a_grace_period_keeps_nobody_waiting(hardened: World) -> None:
    server = Server(FreezeCommands(hardened.machine, Profile.HARDENED))
    lost = server.connect("lost")
    run(lost.execute({"execute": "blockdev-freeze", "arguments": {"device": "d0"}}))
    end = lost.disconnect()
    next(end)
    again = server.connect("again")
    reply = run(again.execute({"execute": "blockdev-unfreeze", "arguments": {"device": "d0"}}))
    assert reply == {"return": {}}
    assert all(step.startswith("wait ") for step in trace(end))


def test_a_killed_command_leaves_the_server_free(hardened: World) -> None:
    server = Server(GroupSnapshotCommands(hardened.machine, Profile.HARDENED))
    steps = server.connect("one").execute(SNAPSHOT)
    next(steps)
    steps.close()
    assert "return" in run(server.connect("two").execute({"execute": "query-block"}))


def test_a_broken_invariant_of_ours_is_no_reply(hardened: World) -> None:
    def broken(client: Client, arguments: NoArguments) -> Steps[object]:
        yield Step(Phase.CHECK, "d0")
        raise AssertionError("ours")

    proposal = GroupSnapshotCommands(hardened.machine, Profile.HARDENED)
    server = Server(proposal)
    server._names["broken"] = Command("broken", NoArguments, broken, "", "our choice")
    with pytest.raises(AssertionError, match="ours"):
        run(server.connect("one").execute({"execute": "broken"}))
