"""A machine: devices by name, what attaching refuses, and an end that leaves nothing open."""

import errno

import pytest

from blockops.device import Hold, Operation, Request
from blockops.errors import DeviceInUse, DeviceNotFound, HostError, InvalidBlockFormat
from blockops.graph.change import Append
from blockops.graph.formats import Opening
from blockops.machine import Machine, in_order
from tests.graph.bench import Bench, make_bench


@pytest.fixture
def bench() -> Bench:
    bench = make_bench()
    bench.make("/vm/base")
    bench.make("/vm/a", "/vm/base")
    bench.make("/vm/b")
    return bench


def machine_on(bench: Bench) -> Machine:
    return Machine(bench.host, graph=bench.graph)


@pytest.fixture
def machine(bench: Bench) -> Machine:
    machine = machine_on(bench)
    machine.attach("d0", "/vm/a")
    machine.attach("d1", "b", "qcow2")
    return machine


def test_attached_devices_show_their_chains_in_the_order_of_attachment(machine: Machine) -> None:
    assert list(machine.devices) == ["d0", "d1"]
    assert len(machine.graph.chain("d0")) == 2
    assert machine.device("d1").medium.source.filename == "b"


def test_a_device_can_be_attached_without_a_medium(bench: Bench) -> None:
    device = machine_on(bench).attach("cd", None)
    assert device.top is None
    assert bench.handles() == []


def test_a_name_is_given_once(machine: Machine, bench: Bench) -> None:
    before = bench.handles()
    with pytest.raises(DeviceInUse):
        machine.attach("d0", "/vm/b")
    assert bench.handles() == before


@pytest.mark.parametrize(("filename", "format"), [("/vm/missing", None), ("/vm/b", "vmdk")])
def test_where_attaching_fails_there_is_no_such_device(
    bench: Bench, filename: str, format: str | None
) -> None:
    machine = machine_on(bench)
    with pytest.raises((HostError, InvalidBlockFormat)):
        machine.attach("d0", filename, format)
    assert (machine.devices, machine.graph.tops, bench.handles()) == ({}, {}, [])
    machine.attach("d0", "/vm/b")


def test_a_read_only_device_opens_its_image_read_only(bench: Bench) -> None:
    device = machine_on(bench).attach("d0", "/vm/b", read_only=True)
    assert not device.medium.writable
    assert [handle.writable for handle in bench.memory.handles] == [False]


def test_two_devices_cannot_write_to_one_image_where_images_are_locked(bench: Bench) -> None:
    machine = machine_on(bench)
    machine.attach("d0", "/vm/b")
    with pytest.raises(HostError) as error:
        machine.attach("d1", "/vm/b")
    assert error.value.code == errno.EAGAIN
    assert bench.handles() == ["/vm/b"]


def test_a_machine_of_2012_does_not_notice(bench: Bench) -> None:
    machine = Machine(bench.host, graph=bench.graph, opening=Opening(lock=False, share=False))
    for name in ("d0", "d1"):
        machine.attach(name, "/vm/b")
    assert bench.handles() == ["/vm/b", "/vm/b"]


def test_an_unknown_device_is_named(machine: Machine) -> None:
    for find in (machine.device, machine.idle_device):
        with pytest.raises(DeviceNotFound) as error:
            find("nope")
        assert error.value.device == "nope"


def test_a_reserved_device_is_found_and_is_not_idle(machine: Machine) -> None:
    machine.device("d0").user = "a job"
    assert machine.device("d0").name == "d0"
    with pytest.raises(DeviceInUse) as error:
        machine.idle_device("d0")
    assert (error.value.device, error.value.user) == ("d0", "a job")


def test_stopping_holds_every_device_and_going_on_releases_it(machine: Machine) -> None:
    machine.stop()
    assert [device.holds for device in machine.devices.values()] == [[Hold.STOP]] * 2
    machine.cont()
    assert [device.holds for device in machine.devices.values()] == [[]] * 2


def test_going_on_leaves_a_frozen_device_frozen(machine: Machine) -> None:
    machine.device("d0").close_gate(Hold.FREEZE)
    machine.stop()
    machine.cont()
    assert machine.device("d0").holds == [Hold.FREEZE]


def test_closing_makes_everything_durable_and_leaves_nothing_open(machine: Machine, bench: Bench) -> None:
    machine.device("d1").write(0, b"kept")
    assert machine.close() == ()
    assert bench.handles() == []
    assert machine.device("d1").top is None
    assert bench.open("/vm/b").read(0, 4) == b"kept"


def test_closing_drops_what_was_prepared_and_never_committed(machine: Machine, bench: Bench) -> None:
    overlay = bench.open(bench.make("/vm/s", "/vm/b"), backing=False)
    bench.planned(Append("d1", overlay))
    bench.committed(Append("d0", bench.open(bench.make("/vm/t", "/vm/a"), backing=False)))
    machine.close()
    assert bench.handles() == []


def test_an_error_of_closing_is_returned_and_the_rest_is_closed(machine: Machine, bench: Bench) -> None:
    machine.device("d0").write(0, b"lost")
    bench.host.fail("flush", "/vm/a", code=errno.EIO)
    errors = machine.close()
    assert [(error.path, error.code) for error in errors if isinstance(error, HostError)] == [
        ("/vm/a", errno.EIO)
    ]
    assert bench.handles() == []


def test_what_an_unplugged_device_has_pending_fails_and_its_images_are_closed(
    machine: Machine, bench: Bench
) -> None:
    device = machine.device("d1")
    flying, queued, late = (Request(Operation.FLUSH) for _ in range(3))
    device.submit(flying)
    device.close_gate(Hold.DRAIN)
    device.submit(queued)
    machine.detach("d1")
    device.open_gate(Hold.DRAIN)
    device.submit(late)
    assert [str(one.error) for one in (flying, queued, late)] == ["Device 'd1' not found"] * 3
    assert bench.handles() == ["/vm/a", "/vm/base"]
    with pytest.raises(DeviceNotFound):
        machine.device("d1")


def test_what_was_prepared_for_an_unplugged_device_does_not_bring_it_back(
    machine: Machine, bench: Bench
) -> None:
    overlay = bench.open(bench.make("/vm/s", "/vm/b"), backing=False)
    plan = bench.planned(Append("d1", overlay))
    list(plan.commit())
    machine.detach("d1")
    plan.abandon()
    assert list(machine.graph.tops) == ["d0"]
    assert bench.handles() == ["/vm/a", "/vm/base"]


def test_a_device_that_is_attached_while_the_guest_is_stopped_waits_as_the_others_do(
    machine: Machine, bench: Bench
) -> None:
    machine.stop()
    late = machine.attach("late", bench.make("/vm/late"))
    request = Request(Operation.FLUSH)
    late.submit(request)
    assert list(late.queue) == [request]
    machine.cont()
    assert late.in_flight == [request]


def test_devices_are_listed_once_and_in_the_order_asked_for(machine: Machine) -> None:
    names = ["d1", "d0", "d1"]
    assert [device.name for device in in_order(machine, names)] == ["d1", "d0"]
    with pytest.raises(DeviceNotFound):
        in_order(machine, ["d0", "nope"])
