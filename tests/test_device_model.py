"""A device's gate and queue against a model: two lists, and a bag of reasons for which the gate is closed."""

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from blockops.device import Device, Hold, Operation, Request, RequestState, drain, resume
from blockops.errors import DeviceHasNoMedium, InvalidRequest, UndefinedError
from blockops.graph.graph import Graph
from blockops.graph.node import ImageNode, Node
from blockops.host.memory import MemoryDisk, MemoryFolder
from blockops.raw import RawImage
from blockops.steps import Step, Steps, run

SECTORS = 8


@attrs.define(eq=False)
class Expected:
    """What the model knows of a request: the node that it is bound to once it has started."""

    request: Request
    node: Node | None = None


class GateModel(RuleBasedStateMachine):
    """A guest, drains that overlap, a freeze, a stopped guest, and pivots with and without a drain."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = MemoryFolder(MemoryDisk())
        self.nodes = [self.image(number) for number in range(2)]
        self.contents = {id(node): bytearray(SECTORS) for node in self.nodes}
        self.graph = Graph(tops={"d0": self.nodes[0]})
        self.device = Device("d0", self.graph)
        self.top: Node | None = self.nodes[0]
        self.flying: list[Expected] = []
        self.queued: list[Expected] = []
        self.holds: list[Hold] = []
        self.waiting: list[Steps[None]] = []
        self.serial = 0

    def image(self, number: int) -> ImageNode:
        file = self.folder.create(f"/vm/{number}", replace=False)
        file.truncate(SECTORS * 512)
        return ImageNode(f"#{number}", file.path, "raw", RawImage(file), writable=True)

    # ------------------------------------------------------------------------------------------- guest

    @rule(sector=st.integers(0, SECTORS - 1), operation=st.sampled_from([Operation.WRITE, Operation.READ]))
    def submit(self, sector: int, operation: Operation) -> None:
        self.serial = self.serial % 255 + 1
        data = bytes([self.serial]) if operation is Operation.WRITE else b""
        expected = Expected(Request(operation, sector * 512, 1, data))
        self.device.submit(expected.request)
        if self.holds:
            self.queued.append(expected)
        else:
            self.start([expected])

    def start(self, starting: list[Expected]) -> None:
        for expected in starting:
            expected.node = self.top
            self.flying.append(expected)

    @precondition(lambda self: self.flying)
    @rule(data=st.data())
    def complete(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(0, len(self.flying) - 1))
        expected = self.flying.pop(number)
        self.device.complete(expected.request)
        self.check_outcome(expected)

    def check_outcome(self, expected: Expected) -> None:
        request = expected.request
        assert request.state is RequestState.DONE
        if expected.node is None:
            assert isinstance(request.error, DeviceHasNoMedium)
            return
        assert request.error is None
        content, sector = self.contents[id(expected.node)], request.offset // 512
        if request.operation is Operation.WRITE:
            content[sector] = request.data[0]
        else:
            assert request.data == content[sector : sector + 1]

    @rule()
    def call_plainly(self) -> None:
        try:
            self.device.flush()
        except InvalidRequest:
            assert self.holds
        except DeviceHasNoMedium:
            assert self.top is None
            assert not self.holds
        else:
            assert not self.holds

    # ------------------------------------------------------------------------------------------- gates

    def release(self, hold: Hold) -> None:
        self.holds.remove(hold)
        if not self.holds:
            starting, self.queued = self.queued, []
            self.start(starting)

    @rule()
    def freeze(self) -> None:
        freezing = self.device.freeze()
        if Hold.FREEZE in self.holds:
            self.expect_refusal(freezing)
        else:
            self.begin(freezing, Hold.FREEZE)

    @rule()
    def unfreeze(self) -> None:
        if Hold.FREEZE not in self.holds:
            try:
                self.device.unfreeze()
            except UndefinedError:
                return
            raise AssertionError("thawed what was not frozen")
        self.device.unfreeze()
        self.release(Hold.FREEZE)

    def expect_refusal(self, steps: Steps[None]) -> None:
        try:
            run(steps)
        except UndefinedError:
            return
        raise AssertionError("frozen twice")

    @rule()
    def stop(self) -> None:
        self.device.close_gate(Hold.STOP)
        self.holds.append(Hold.STOP)

    @precondition(lambda self: Hold.STOP in self.holds)
    @rule()
    def go_on(self) -> None:
        self.device.open_gate(Hold.STOP)
        self.release(Hold.STOP)

    @rule()
    def begin_drain(self) -> None:
        self.begin(drain([self.device]), Hold.DRAIN)

    @precondition(lambda self: Hold.DRAIN in self.holds)
    @rule()
    def end_drain(self) -> None:
        resume([self.device])
        self.release(Hold.DRAIN)

    def begin(self, steps: Steps[None], hold: Hold) -> None:
        """Start to wait; the gate is closed from the first step on."""
        self.holds.append(hold)
        if self.check_wait(next(steps)):
            self.waiting.append(steps)
        else:
            assert list(steps) == []

    @precondition(lambda self: self.waiting)
    @rule()
    def go_on_waiting(self) -> None:
        steps = self.waiting.pop(0)
        if self.check_wait(next(steps)):
            self.waiting.append(steps)
        else:
            assert list(steps) == []

    def check_wait(self, step: Step) -> bool:
        assert step.subject == "d0"
        assert (step.waits_for is self.device) is bool(self.flying), "waits exactly while something flies"
        return bool(self.flying)

    # ------------------------------------------------------------------------------------------- pivots

    @rule(number=st.sampled_from([0, 1, None]))
    def pivot(self, number: int | None) -> None:
        self.top = None if number is None else self.nodes[number]
        self.graph.tops["d0"] = self.top

    # --------------------------------------------------------------------------------------- invariants

    @invariant()
    def requests_keep_their_order(self) -> None:
        assert self.device.in_flight == [expected.request for expected in self.flying]
        assert list(self.device.queue) == [expected.request for expected in self.queued]

    @invariant()
    def a_started_request_is_bound_and_a_queued_one_is_not(self) -> None:
        for expected in self.flying:
            assert expected.request.state is RequestState.IN_FLIGHT
            assert expected.request.node is expected.node
        for expected in self.queued:
            assert expected.request.state is RequestState.QUEUED
            assert expected.request.node is None

    @invariant()
    def nothing_waits_behind_an_open_gate(self) -> None:
        assert sorted(hold.value for hold in self.device.holds) == sorted(hold.value for hold in self.holds)
        assert self.holds or not self.device.queue
        assert self.device.frozen is (Hold.FREEZE in self.holds)


TestGateModel = GateModel.TestCase
TestGateModel.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
