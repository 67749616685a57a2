"""The fifth operation in each of the four proposals: who takes it back when it fails midway."""

import pytest

from blockops.commands.profile import Profile, opening
from blockops.errors import BlockError, DeviceInUse, UndefinedError
from blockops.graph.formats import NewImage, create_image
from blockops.host.memory import MemoryDisk, MemoryFolder
from blockops.machine import Machine
from proposals.drive_migrate import DriveMigration
from proposals.freeze import Freezer
from proposals.group_snapshot import GroupSnapshot
from proposals.transaction import Transaction
from tests.commands.failing import FailingFolder

SIZE = 64 * 1024
MORE = 4 * SIZE


def machine(profile: Profile = Profile.HARDENED) -> tuple[Machine, FailingFolder]:
    host = FailingFolder(MemoryFolder(MemoryDisk()))
    made = Machine(host, cluster_size=4096, opening=opening(profile))
    for name in ("d0", "d1"):
        create_image(host, NewImage(f"{name}.qcow2", "qcow2", SIZE), durable=True)
        made.attach(name, f"{name}.qcow2")
    return made, host


def sizes(made: Machine) -> list[int]:
    return [device.medium.size for device in made.devices.values()]


@pytest.mark.parametrize("profile", list(Profile))
@pytest.mark.parametrize("make", [GroupSnapshot, DriveMigration, Transaction, Freezer])
def test_every_proposal_can_resize_one_device(make: type[Transaction], profile: Profile) -> None:
    made, _ = machine(profile)
    make(made, profile).resize("d1", MORE)
    assert sizes(made) == [SIZE, MORE]


def test_in_a_transaction_disks_grow_at_the_commit_and_not_before() -> None:
    made, _ = machine()
    transaction = Transaction(made)
    transaction.start()
    transaction.resize("d0", MORE)
    transaction.resize("d1", MORE)
    assert sizes(made) == [SIZE, SIZE]
    transaction.commit()
    assert sizes(made) == [MORE, MORE]


@pytest.mark.parametrize("profile", list(Profile))
def test_a_transaction_takes_back_what_has_grown_and_what_has_switched(profile: Profile) -> None:
    made, host = machine(profile)
    transaction = Transaction(made, profile)
    transaction.start()
    transaction.resize("d0", MORE)
    transaction.resize("d1", MORE)
    host.fail("flush", "/vm/d1.qcow2", skip=1)
    with pytest.raises(BlockError, match="d1"):
        transaction.commit()
    host.faults.clear()
    assert sizes(made) == [SIZE, SIZE]
    made.flush_all()
    made.close()
    again = Machine(host.folder, opening=opening(profile))
    again.attach("d0", "d0.qcow2")
    assert sizes(again) == [SIZE]


def test_a_snapshot_beside_a_resize_that_fails_is_taken_back() -> None:
    made, host = machine()
    transaction = Transaction(made)
    transaction.start()
    transaction.snapshot("d0", "s0.qcow2")
    transaction.resize("d1", MORE)
    host.fail("flush", "/vm/d1.qcow2", skip=1)
    with pytest.raises(BlockError):
        transaction.commit()
    assert made.device("d0").medium.source.path == "/vm/d0.qcow2"
    assert "/vm/s0.qcow2" not in host.names()


def test_a_transaction_refuses_a_resize_beside_another_change_of_the_device() -> None:
    made, _ = machine()
    transaction = Transaction(made)
    transaction.start()
    transaction.snapshot("d0", "s0.qcow2")
    with pytest.raises(UndefinedError, match="rules this one out"):
        transaction.resize("d0", MORE)
    transaction.resize("d1", MORE)
    with pytest.raises(UndefinedError, match="rules this one out"):
        transaction.snapshot("d1", "s1.qcow2")
    with pytest.raises(DeviceInUse):
        Freezer(made).resize("d1", MORE)


def test_frozen_disks_grow_one_by_one_and_no_command_makes_one_shrink() -> None:
    made, host = machine()
    freezer = Freezer(made)
    for name in made.devices:
        freezer.freeze(name)
    freezer.resize("d0", MORE)
    host.fail("flush", "/vm/d1.qcow2")
    with pytest.raises(BlockError):
        freezer.resize("d1", MORE)
    with pytest.raises(UndefinedError, match="only grows"):
        freezer.resize("d0", SIZE)
    assert sizes(made) == [MORE, SIZE]
