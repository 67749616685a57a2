"""`drive-migrate`: only the signature survives, so every claim here is our choice (semantics.md 2)."""

import pytest

from blockops.commands.profile import Mode, Profile
from blockops.errors import DeviceInUse, DeviceNotFound, HostError, InvalidBlockFormat, OpenFileFailed
from blockops.qmp.command import Client
from blockops.steps import Steps
from proposals.drive_migrate import DriveMigrate, DriveMigrateCommands, DriveMigration
from tests.commands.worlds import World, error_of, outcome, trace


def migrate(world: World, **how: object) -> Steps[None]:
    wanted: dict[str, object] = {"device": "d0", "dest": "/vm/dst/s0", "new_source": "/vm/s0"}
    proposal = DriveMigrateCommands(world.machine, world.profile)
    return proposal.migrate(Client("test"), DriveMigrate(**wanted | how))  # type: ignore[arg-type]


def prepare(world: World) -> None:
    """Make both images, as oVirt did in its second step: the destination's base is not there yet."""
    world.create("/vm/s0", backing_file="d0.qcow2", backing_format="qcow2")
    world.create("/vm/dst/s0", backing_file="d0.qcow2", backing_format="qcow2")


def test_it_prepares_both_before_it_shows_either(world: World) -> None:
    prepare(world)
    steps = trace(migrate(world))
    assert max(index for index, step in enumerate(steps) if step.startswith("open")) < steps.index("pivot d0")
    assert steps[-2:] == ["pivot d0", "pivot d0"]
    assert world.chain() == ["s0", "d0.qcow2"]


def test_new_writes_go_to_both_and_not_to_the_old_image(world: World) -> None:
    prepare(world)
    trace(migrate(world))
    world.device().write(0, b"new")
    assert world.content("/vm/d0.qcow2", 5) == b"old-0"
    for path in ("/vm/s0", "/vm/dst/s0"):
        node = world.machine.graph.opened(path)
        assert node is not None
        assert node.read(0, 5) == b"new-0"


def test_the_whole_flow_ends_on_the_destination_alone(world: World) -> None:
    """Source: semantics.md 2, "The oVirt sequence for one disk", steps 1 to 5."""
    prepare(world)
    proposal = DriveMigration(world.machine, world.profile)
    proposal.migrate("d0", "/vm/dst/s0", "/vm/s0")
    world.device().write(8192, b"during")
    world.create("/vm/dst/d0.qcow2")
    copy(world, "/vm/d0.qcow2", "/vm/dst/d0.qcow2")
    proposal.reopen("d0", "/vm/dst/s0", "qcow2")
    for name in ("/vm/s0", "/vm/d0.qcow2"):
        world.memory.unlink(name)
    assert world.chain() == ["dst/s0", "dst/d0.qcow2"]
    assert world.device().read(0, 5) == b"old-0"
    assert world.device().read(8192, 6) == b"during"


def copy(world: World, source: str, target: str) -> None:
    read, written = world.memory.open(source, writable=False), world.memory.open(target, writable=True)
    written.truncate(0)
    written.write(0, read.read(0, read.size()))
    read.close()
    written.close()


def test_the_old_image_can_be_reopened_when_the_copy_fails(world: World) -> None:
    """Source: semantics.md 2, "On failure: reopen on the source, delete the destination"."""
    prepare(world)
    proposal = DriveMigration(world.machine, world.profile)
    proposal.migrate("d0", "/vm/dst/s0", "/vm/s0")
    world.device().write(0, b"new")
    proposal.reopen("d0", "/vm/s0", "qcow2")
    assert world.chain() == ["s0", "d0.qcow2"]
    assert world.device().read(0, 5) == b"new-0"
    assert "/vm/dst/s0" not in world.handles()


@pytest.mark.parametrize("absent", ["/vm/s0", "/vm/dst/s0"])
def test_it_opens_what_exists_and_never_creates(world: World, absent: str) -> None:
    prepare(world)
    world.memory.unlink(absent)
    error = error_of(migrate(world))
    assert isinstance(error, OpenFileFailed)
    assert error.filename == absent
    assert world.chain() == ["d0.qcow2"]
    assert not world.memory.exists(absent)


def test_formats_are_probed(world: World) -> None:
    world.create("/vm/s0", backing_file="d0.qcow2", backing_format="qcow2")
    world.create("/vm/dst/s0", format="raw")
    trace(migrate(world))
    nodes = {node.path: node.format for node in world.machine.graph.open_nodes()}
    assert nodes["/vm/s0"] == "qcow2"
    assert nodes["/vm/dst/s0"] == "raw"


def test_mode_absolute_paths_makes_both(world: World) -> None:
    trace(migrate(world, mode=Mode.ABSOLUTE_PATHS))
    assert world.recorded("/vm/s0") == ("/vm/d0.qcow2", "qcow2")
    assert world.recorded("/vm/dst/s0") == ("/vm/d0.qcow2", "qcow2")


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"device": "d9"}, DeviceNotFound),
        ({"device": "busy"}, DeviceInUse),
        ({"source_format": "vmdk"}, InvalidBlockFormat),
        ({"dest_format": "vmdk"}, InvalidBlockFormat),
    ],
    ids=["no-such-device", "busy", "source-format", "dest-format"],
)
def test_what_cannot_be_is_refused(world: World, how: dict[str, object], expected: type) -> None:
    prepare(world)
    world.create("/vm/busy.qcow2")
    world.machine.attach("busy", "/vm/busy.qcow2", "qcow2").user = "a job"
    assert type(error_of(migrate(world, **how))) is expected
    assert world.chain() == ["d0.qcow2"]


@pytest.mark.parametrize(
    ("operation", "path"),
    [("open", "/vm/s0"), ("read", "/vm/dst/s0"), ("flush", "/vm/d0.qcow2")],
)
def test_after_a_failure_neither_has_happened(world: World, operation: str, path: str) -> None:
    prepare(world)
    world.device().write(0, b"unflushed")
    world.host.fail(operation, path, times=1)
    handles = world.handles()
    assert outcome(migrate(world)) is not None
    assert world.chain() == ["d0.qcow2"]
    assert world.handles() == handles
    assert not world.device().holds


def test_a_failing_target_fails_the_guest_s_write_as_blkmirror_did(world: World) -> None:
    """Source: semantics.md 2, blkmirror: "return the first error to the guest"."""
    prepare(world)
    trace(migrate(world))
    world.host.fail("write", "/vm/dst/s0")
    with pytest.raises(HostError):
        world.device().write(0, b"x" * 4096)


def test_a_disconnect_ends_no_mirror(world: World) -> None:
    prepare(world)
    proposal = DriveMigrateCommands(world.machine, Profile.AS_POSTED)
    client = Client("test")
    trace(proposal.migrate(client, DriveMigrate("d0", "/vm/dst/s0", "/vm/s0")))
    trace(proposal.disconnected(client))
    assert "/vm/dst/s0" in world.handles()
