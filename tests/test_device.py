"""A device: which node a request reaches, what a closed gate holds back, and what is refused."""

import itertools

import attrs
import pytest

from blockops.device import Device, Hold, Operation, Request, RequestState, drain, resume
from blockops.errors import DeviceHasNoMedium, HostError, InvalidRequest, UndefinedError
from blockops.graph.change import Append, Replace
from blockops.steps import Phase, run
from tests.graph.bench import SIZE, Bench, make_bench


@attrs.define(eq=False)
class Scene:
    """Devices d0 and d1 on flat images."""

    bench: Bench = attrs.field(factory=make_bench)
    devices: list[Device] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        for name in ("d0", "d1"):
            self.bench.show(name, self.bench.make(f"/vm/{name}"))
            self.devices.append(Device(name, self.bench.graph))

    @property
    def device(self) -> Device:
        return self.devices[0]


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def device(scene: Scene) -> Device:
    return scene.device


def write(data: bytes, offset: int = 0) -> Request:
    return Request(Operation.WRITE, offset, len(data), data)


def states(*requests: Request) -> list[RequestState]:
    return [request.state for request in requests]


# ---------------------------------------------------------------------------------- requests in flight


def test_a_submitted_request_is_in_flight_and_has_done_nothing_yet(device: Device) -> None:
    request = write(b"data")
    device.submit(request)
    assert request.state is RequestState.IN_FLIGHT
    assert device.read(0, 4) == bytes(4)
    device.complete(request)
    assert (request.state, device.in_flight) == (RequestState.DONE, [])
    assert device.read(0, 4) == b"data"


def test_requests_in_flight_complete_in_any_order(device: Device) -> None:
    for order in itertools.permutations(range(3)):
        requests = [write(bytes([65 + number])) for number in range(3)]
        for request in requests:
            device.submit(request)
        for number in order:
            device.complete(requests[number])
        assert device.read(0, 1) == bytes([65 + order[-1]])
        assert device.in_flight == []


def test_the_oldest_is_completed_next(device: Device) -> None:
    first, second = write(b"1"), write(b"2")
    device.submit(first)
    device.submit(second)
    device.complete_next()
    assert states(first, second) == [RequestState.DONE, RequestState.IN_FLIGHT]


@pytest.mark.parametrize("state", ["new", "queued", "done"])
def test_only_a_request_in_flight_can_be_completed(device: Device, state: str) -> None:
    request = write(b"data")
    if state == "done":
        device.submit(request)
        device.complete(request)
        device.write(0, b"more")
    if state == "queued":
        device.close_gate(Hold.FREEZE)
        device.submit(request)
    before = request.state
    with pytest.raises(AssertionError):
        device.complete(request)
    assert request.state is before
    assert request.error is None


def test_a_request_stays_bound_to_the_node_that_it_started_on(scene: Scene, device: Device) -> None:
    """A pivot without a drain: the write in flight lands below the overlay, behind its back."""
    base = scene.bench.graph.tops["d0"]
    assert base is not None
    request = write(b"late")
    device.submit(request)
    overlay = scene.bench.open(scene.bench.make("/vm/s0", "/vm/d0"), backing=False)
    scene.bench.apply(Append("d0", overlay))
    overlay.write(0, b"new!")
    device.complete(request)
    assert request.error is None
    assert base.read(0, 4) == b"late"
    assert device.read(0, 4) == b"new!"


def test_a_request_in_flight_to_an_image_that_was_closed_fails(scene: Scene, device: Device) -> None:
    request = write(b"late")
    device.submit(request)
    scene.bench.apply(Replace("d0", scene.bench.open(scene.bench.make("/vm/other"))))
    device.complete(request)
    assert request.error is not None
    assert request.state is RequestState.DONE
    assert scene.bench.open("/vm/d0").read(0, 4) == bytes(4)


def test_after_a_drain_every_request_finds_the_new_node(scene: Scene, device: Device) -> None:
    early, late = write(b"early"), write(b"later", 512)
    device.submit(early)
    run(drain([device]))
    device.submit(late)
    overlay = scene.bench.open(scene.bench.make("/vm/s0", "/vm/d0"), backing=False)
    scene.bench.apply(Append("d0", overlay))
    resume([device])
    device.complete_next()
    assert (early.node, late.node) == (overlay.backing, overlay)
    base = overlay.backing
    assert base is not None
    assert (base.read(0, 5), base.read(512, 5)) == (b"early", bytes(5))
    assert overlay.read(512, 5) == b"later"


def test_every_operation_reaches_the_node(device: Device) -> None:
    device.write(0, b"x" * 8192)
    device.do(Request(Operation.WRITE_ZEROES, 0, 4096))
    device.do(Request(Operation.DISCARD, 4096, 4096))
    device.do(Request(Operation.FLUSH))
    assert device.do(Request(Operation.READ, 0, 8192)) == bytes(8192)


def test_an_error_is_the_requests_and_the_device_goes_on(scene: Scene, device: Device) -> None:
    scene.bench.host.fail("write", "/vm/d0", times=1)
    failing = write(b"data")
    device.submit(failing)
    device.complete(failing)
    assert isinstance(failing.error, HostError)
    assert failing.state is RequestState.DONE
    device.write(0, b"data")
    assert device.read(0, 4) == b"data"


@pytest.mark.parametrize("offset", [-1, SIZE - 1, SIZE])
def test_a_range_outside_of_the_disk_is_refused(device: Device, offset: int) -> None:
    for request in (write(b"xy", offset), Request(Operation.READ, offset, 2)):
        with pytest.raises(InvalidRequest):
            device.do(request)
    assert device.in_flight == []


# ---------------------------------------------------------------------------------- no medium, read-only


@pytest.mark.parametrize("operation", list(Operation), ids=lambda operation: operation.name.lower())
def test_without_a_medium_every_request_fails_and_says_so(scene: Scene, operation: Operation) -> None:
    scene.bench.apply(Replace("d0", None))
    with pytest.raises(DeviceHasNoMedium) as error:
        scene.device.do(Request(operation, 0, 1, b"x"))
    assert error.value.device == "d0"
    assert scene.device.top is None
    with pytest.raises(DeviceHasNoMedium):
        _ = scene.device.medium


def test_a_request_that_started_without_a_medium_does_not_reach_one_put_in_later(scene: Scene) -> None:
    scene.bench.apply(Replace("d0", None))
    request = write(b"data")
    scene.device.submit(request)
    scene.bench.show("d0", "/vm/d0")
    scene.device.complete(request)
    assert isinstance(request.error, DeviceHasNoMedium)
    assert scene.device.read(0, 4) == bytes(4)


CHANGING = [Operation.WRITE, Operation.WRITE_ZEROES, Operation.DISCARD]


@pytest.mark.parametrize("operation", CHANGING, ids=lambda operation: operation.name.lower())
@pytest.mark.parametrize("reason", ["device", "image"])
def test_a_read_only_disk_refuses_what_would_change_it(operation: Operation, reason: str) -> None:
    bench = make_bench()
    node = bench.show("d0", bench.make("/vm/d0"), writable=reason == "device")
    device = Device("d0", bench.graph, read_only=reason == "device")
    with pytest.raises(InvalidRequest, match="device 'd0': it is read-only"):
        device.do(Request(operation, 0, 512, b"x" * 512))
    assert device.read(0, 4) == bytes(4)
    device.flush()
    assert node.read(0, 4) == bytes(4)


# ------------------------------------------------------------------------------------------------ gates


def test_behind_a_closed_gate_requests_queue_and_start_in_their_order(device: Device) -> None:
    device.close_gate(Hold.FREEZE)
    requests = [write(bytes([65 + number])) for number in range(4)]
    for request in requests:
        device.submit(request)
    assert states(*requests) == [RequestState.QUEUED] * 4
    assert device.in_flight == []
    device.open_gate(Hold.FREEZE)
    assert device.in_flight == requests
    assert not device.queue


@pytest.mark.parametrize("closing", list(itertools.permutations(Hold)))
@pytest.mark.parametrize("opening", list(itertools.permutations(Hold)))
def test_the_gate_opens_when_the_last_party_lets_go_in_whatever_order(
    device: Device, closing: tuple[Hold, ...], opening: tuple[Hold, ...]
) -> None:
    requests = [write(bytes([65 + number])) for number in range(4)]
    waiting = iter(requests)
    for hold in closing:
        device.close_gate(hold)
        device.submit(next(waiting))
    device.submit(next(waiting))
    for hold in opening:
        assert device.in_flight == []
        device.open_gate(hold)
    assert device.in_flight == requests


def test_two_drains_at_once_hold_until_both_have_ended(device: Device) -> None:
    run(drain([device]))
    run(drain([device]))
    request = write(b"data")
    device.submit(request)
    resume([device])
    assert states(request) == [RequestState.QUEUED]
    resume([device])
    assert states(request) == [RequestState.IN_FLIGHT]


def test_opening_a_gate_that_one_does_not_hold_is_a_mistake(device: Device) -> None:
    device.close_gate(Hold.FREEZE)
    with pytest.raises(ValueError, match="not in list"):
        device.open_gate(Hold.DRAIN)
    assert device.holds == [Hold.FREEZE]


def test_a_drain_closes_every_gate_before_it_waits_for_any(scene: Scene) -> None:
    first, second = scene.devices
    first.submit(write(b"first"))
    second.submit(write(b"second"))
    draining = drain(scene.devices)
    step = next(draining)
    assert (step.phase, step.subject, step.waits_for) == (Phase.DRAIN, "d0", first)
    assert [one.holds for one in scene.devices] == [[Hold.DRAIN]] * 2
    late = write(b"late")
    second.submit(late)
    assert late.state is RequestState.QUEUED
    run(draining)
    assert [one.in_flight for one in scene.devices] == [[], []]
    assert late.state is RequestState.QUEUED


def test_a_drain_of_an_idle_device_waits_for_nothing(device: Device) -> None:
    assert [step.waits_for for step in drain([device])] == [None]


def test_a_freeze_lets_what_is_in_flight_finish_and_holds_the_rest(device: Device) -> None:
    early, late = write(b"early"), write(b"later", 512)
    device.submit(early)
    freezing = device.freeze()
    assert next(freezing).waits_for is device
    assert device.frozen
    device.submit(late)
    run(freezing)
    assert states(early, late) == [RequestState.DONE, RequestState.QUEUED]
    device.unfreeze()
    assert (device.frozen, late.state) == (False, RequestState.IN_FLIGHT)


def test_freezes_do_not_nest(device: Device) -> None:
    with pytest.raises(UndefinedError, match="not frozen"):
        device.unfreeze()
    run(device.freeze())
    with pytest.raises(UndefinedError, match="already frozen"):
        run(device.freeze())
    assert device.holds == [Hold.FREEZE]
    device.unfreeze()
    assert device.holds == []


def test_a_drain_within_a_freeze_ends_and_leaves_it_frozen(device: Device) -> None:
    """The queue of a frozen device is not in flight: whoever drains does not wait for it."""
    run(device.freeze())
    late = write(b"late")
    device.submit(late)
    run(drain([device]))
    resume([device])
    assert (device.frozen, late.state) == (True, RequestState.QUEUED)


@pytest.mark.parametrize("hold", list(Hold), ids=lambda hold: hold.value)
def test_a_plain_call_that_would_never_end_is_refused_and_leaves_nothing_queued(
    device: Device, hold: Hold
) -> None:
    device.close_gate(hold)
    for call in (lambda: device.read(0, 1), lambda: device.write(0, b"x"), device.flush):
        with pytest.raises(InvalidRequest, match=hold.value):
            call()
    assert not device.queue
    assert device.in_flight == []
    device.open_gate(hold)
    device.write(0, b"x")
