"""Whatever JSON comes in, a QMP reply goes out, and the machine is left able to go on."""

import json
import pathlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockops.commands.profile import Profile
from blockops.host.posix import PosixFolder
from blockops.machine import Machine
from blockops.qmp.command import Proposal
from blockops.qmp.dispatch import Server
from blockops.qmp.schema import parameters
from blockops.steps import run
from proposals.freeze import FreezeCommands
from tests.commands.worlds import make_world
from tests.qmp.servers import CONTESTANTS


def names_of(make: Callable[[Machine, Profile], Proposal], profile: Profile) -> list[str]:
    commands = make(make_world(profile).machine, profile).commands.values()
    return [name for command in commands for name in (command.name, *command.aliases)]


# Lone surrogates and NUL are what JSON can say and a file system cannot.
TEXT = st.text(st.characters(codec=None), max_size=6) | st.sampled_from(["\ud800", "/vm/\udcff", "/vm/a\0b"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT
NAMES = (
    st.sampled_from(
        [
            "/vm/s0",
            "/vm/s1",
            "/vm/d0.qcow2",
            "s0",
            "",
            "/",
            "/vm",
            "/vm/d0.qcow2/x",
            "/vm/" + "x" * 300,
            "a" * 5000,
        ]
    )
    | TEXT
)
WORDS = st.sampled_from(["qcow2", "raw", "vmdk", "existing", "absolute-paths"])
MEMBERS = st.sampled_from(
    ["device", "snapshot-file", "format", "mode", "source", "dest", "target", "devlist", "new-source"]
)
VALUES = st.recursive(
    SCALARS | NAMES | WORDS | st.sampled_from(["d0", "d1", "d9"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(MEMBERS | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=8,
)
ENTRY = st.fixed_dictionaries(
    {"device": st.sampled_from(["d0", "d1", "d9"]), "snapshot-file": NAMES},
    optional={"format": WORDS, "mode": WORDS},
)
LIKELY = st.fixed_dictionaries(
    {"device": st.sampled_from(["d0", "d1", "d9"])},
    optional={
        "snapshot-file": NAMES,
        "source": NAMES,
        "dest": NAMES,
        "new-source": NAMES,
        "format": WORDS,
        "mode": WORDS,
    },
) | st.fixed_dictionaries({"devlist": st.lists(ENTRY, max_size=3)})
COMMANDS = st.sampled_from(
    sorted({name for _, profile, make in CONTESTANTS for name in names_of(make, profile)})
)
MESSAGES = VALUES | st.fixed_dictionaries(
    {"execute": COMMANDS | SCALARS}, optional={"arguments": LIKELY | VALUES, "id": VALUES, "x": SCALARS}
)


@given(st.sampled_from(CONTESTANTS), st.lists(MESSAGES, max_size=6))
def test_any_json_gets_a_reply_that_is_json(
    contestant: tuple[str, Profile, type], messages: list[object]
) -> None:
    _, profile, make = contestant
    world = make_world(profile)
    connection = Server(make(world.machine, profile)).connect("fuzz")
    for message in messages:
        reply = run(connection.execute(json.loads(json.dumps(message))))
        assert json.loads(json.dumps(reply)) == reply
        assert set(reply) - {"id"} in ({"return"}, {"error"})
        if isinstance(message, dict):
            assert ("id" in message) == ("id" in reply)
        drained = [hold for device in world.machine.devices.values() for hold in device.holds]
        assert all(hold.value != "drain" for hold in drained)


@pytest.mark.parametrize("profile", list(Profile), ids=lambda profile: profile.value)
@pytest.mark.parametrize("name", ["a\0b", "\ud800", "", ".", "x" * 300, "x/" * 3000, "d0.raw/x"])
@pytest.mark.parametrize("command", ["blockdev-snapshot-sync", "drive-reopen", "drive-mirror"])
def test_a_name_that_a_real_file_system_refuses_is_an_error_reply(
    tmp_path: pathlib.Path, profile: Profile, name: str, command: str
) -> None:
    (tmp_path / "d0.raw").write_bytes(bytes(4096))
    machine = Machine(PosixFolder(str(tmp_path)))
    machine.attach("d0", "d0.raw", "raw")
    proposal = FreezeCommands(machine, profile)
    (argument,) = {"snapshot-file", "source", "dest"} & parameters(
        proposal.commands[command].arguments
    ).keys()
    connection = Server(proposal).connect("test")
    reply = run(connection.execute({"execute": command, "arguments": {"device": "d0", argument: name}}))
    assert set(reply) == {"error"}
    assert machine.devices["d0"].read(0, 1) == b"\0"
    machine.close()
