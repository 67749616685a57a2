"""The graph against a model: flat bytes for what each device shows, and who leads to which file.

A model layer is what one image shows, flat.  A write reaches the layers that the device writes to, and no
image below an overlay is ever written; so a layer's bytes need not be put together from others.
"""

from typing import TypeAlias

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from blockops.graph.change import Append, Change, Mirror, Plan, Promote, Replace
from blockops.graph.node import ImageNode, Node
from tests.graph.bench import SIZE, Bench, make_bench

DEVICES = ("d0", "d1")


@attrs.define(eq=False)
class Layer:
    """An image: its real node, what it shows, and what hangs below it."""

    node: ImageNode
    shows: bytearray
    below: "Shown" = None


@attrs.define(eq=False)
class Fork:
    """A blkmirror."""

    upper: "Layer | Fork"
    target: Layer


Shown: TypeAlias = Layer | Fork | None


def source(shown: "Layer | Fork") -> Layer:
    return shown if isinstance(shown, Layer) else source(shown.upper)


def written(shown: "Layer | Fork") -> list[Layer]:
    """The layers that a write reaches."""
    return [shown] if isinstance(shown, Layer) else [*written(shown.upper), shown.target]


def bytes_of(shown: Shown) -> bytearray:
    """A copy of what is shown; an overlay over nothing shows zeros."""
    return bytearray(SIZE) if shown is None else bytearray(source(shown).shows)


def led_to(shown: Shown) -> set[str]:
    """The files that must be open for it."""
    match shown:
        case None:
            return set()
        case Layer(node, _, below):
            return {node.path} | led_to(below)
        case Fork(upper, target):
            return led_to(upper) | led_to(target)


@attrs.define(eq=False)
class Prepared:
    """A real plan with, for each change, the layers that it will show."""

    plan: Plan
    steps: list[tuple[Change, Layer | None]] = attrs.field(factory=list)

    def files(self) -> set[str]:
        return {path for _, layer in self.steps for path in led_to(layer)}


devices = st.sampled_from(DEVICES)
kinds = st.sampled_from(["append", "mirror", "sharing mirror", "replace", "take out", "promote"])
places = st.tuples(st.integers(0, SIZE - 1), st.integers(1, 6000))


class GraphModel(RuleBasedStateMachine):
    """Two devices; changes are prepared in several plans at once, and committed, taken back or dropped."""

    def __init__(self) -> None:
        super().__init__()
        self.bench: Bench = make_bench()
        self.serial = 0
        self.shown: dict[str, Shown] = {}
        self.prepared: list[Prepared] = []
        for device in DEVICES:
            layer = self.new_layer()
            self.shown[device] = layer
            self.bench.graph.tops[device] = layer.node

    def new_layer(self) -> Layer:
        self.serial += 1
        node = self.bench.open(self.bench.make(f"/vm/i{self.serial}"))
        return Layer(node, bytearray(SIZE))

    @rule(device=devices, place=places, fill=st.integers(1, 255))
    def write(self, device: str, place: tuple[int, int], fill: int) -> None:
        top, shown = self.bench.graph.tops[device], self.shown[device]
        if top is None or shown is None:
            return
        offset = place[0]
        data = bytes([fill]) * min(place[1], SIZE - offset)
        top.write(offset, data)
        for layer in written(shown):
            layer.shows[offset : offset + len(data)] = data

    @rule(changes=st.lists(st.tuples(devices, kinds), min_size=1, max_size=4))
    def prepare(self, changes: list[tuple[str, str]]) -> None:
        prepared = Prepared(self.bench.graph.plan())
        for device, kind in changes:
            self.add(prepared, device, kind)
        self.prepared.append(prepared)

    def add(self, prepared: Prepared, device: str, kind: str) -> None:
        change, layer = self.change(prepared, device, kind)
        prepared.plan.add(change)
        prepared.steps.append((change, layer))

    def change(self, prepared: Prepared, device: str, kind: str) -> tuple[Change, Layer | None]:
        if kind == "take out":
            return Replace(device, None), None
        target = self.target_below(device)
        if kind == "promote" and target is not None and not self.promotes(device, prepared):
            return Promote(device, target.node, target.node.backing), target
        layer = self.new_layer()
        if kind == "append":
            return Append(device, layer.node), layer
        if "mirror" in kind:
            return Mirror(device, layer.node, shares_backing=kind == "sharing mirror"), layer
        return Replace(device, layer.node), layer

    def promotes(self, device: str, prepared: Prepared) -> bool:
        """Whether a promotion is under way: with two, one could write to what the other reads through."""
        steps = [step for one in (*self.prepared, prepared) for step in one.steps]
        return any(isinstance(change, Promote) and change.device == device for change, _ in steps)

    def target_below(self, device: str) -> Layer | None:
        shown = self.shown[device]
        while isinstance(shown, Layer):
            shown = shown.below
        return None if shown is None else shown.target

    @precondition(lambda self: self.prepared)
    @rule(data=st.data(), end=st.sampled_from(["settle", "settle", "revert", "abandon"]))
    def commit(self, data: st.DataObject, end: str) -> None:
        prepared = self.taken(data)
        before = self.state()
        model_before = {device: self.shown[device] for device in DEVICES}
        hung_before = [(layer, layer.below) for _, layer in prepared.steps if layer is not None]
        committing = prepared.plan.commit()
        for change, layer in prepared.steps:
            if isinstance(change, Mirror) and self.shown[change.device] is None:
                end = "abandon"  # a command never prepares a mirror over no medium
                break
            assert next(committing) is change
            self.show(change, layer)
            self.every_device_shows_its_bytes()
        if end == "settle":
            assert list(committing) == []
            prepared.plan.settle()
        else:
            self.shown.update(model_before)
            for layer, below in hung_before:
                layer.below = below
            if end == "revert":
                prepared.plan.revert()
                assert self.state() == before
            prepared.plan.abandon()
            assert self.state() == before
        self.bench.graph.collect()

    def show(self, change: Change, layer: Layer | None) -> None:
        """What a change does, in the model."""
        shown = self.shown[change.device]
        match change, layer:
            case Append(device), Layer():
                layer.below, layer.shows = shown, bytes_of(shown)
                self.shown[device] = layer
            case Mirror(device, _, shares), Layer():
                assert shown is not None
                layer.below = source(shown).below if shares else None
                layer.shows = bytes_of(layer.below)
                self.shown[device] = Fork(shown, layer)
            case _:
                self.shown[change.device] = layer

    @precondition(lambda self: self.prepared)
    @rule(data=st.data())
    def abandon(self, data: st.DataObject) -> None:
        self.taken(data).plan.abandon()

    def taken(self, data: st.DataObject) -> Prepared:
        number = data.draw(st.integers(0, len(self.prepared) - 1))
        return self.prepared.pop(number)

    def state(self) -> tuple[dict[str, Node | None], list[str]]:
        return dict(self.bench.graph.tops), [name for device in DEVICES for name in self.bench.chain(device)]

    @invariant()
    def every_device_shows_its_bytes(self) -> None:
        for device in DEVICES:
            top, shown = self.bench.graph.tops[device], self.shown[device]
            assert (top is None) == (shown is None)
            if top is not None and shown is not None:
                assert top.read(0, SIZE) == bytes_of(shown)

    @invariant()
    def exactly_what_somebody_leads_to_is_open(self) -> None:
        wanted = {path for shown in self.shown.values() for path in led_to(shown)}
        wanted |= {path for prepared in self.prepared for path in prepared.files()}
        assert self.bench.handles() == sorted(wanted)

    @invariant()
    def the_graph_keeps_only_the_plans_under_way(self) -> None:
        assert self.bench.graph.plans == [prepared.plan for prepared in self.prepared]

    def teardown(self) -> None:
        for prepared in self.prepared:
            prepared.plan.abandon()
        for device in DEVICES:
            self.bench.graph.tops[device] = None
        self.bench.graph.collect()
        assert self.bench.handles() == []


TestGraphModel = GraphModel.TestCase
TestGraphModel.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
