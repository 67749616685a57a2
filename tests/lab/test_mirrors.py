"""When a device began to be mirrored and when it left the mirror is noticed, and one-instant uses it."""

import attrs
import pytest

from blockops.graph.change import Mirror, Promote, Replace
from blockops.graph.graph import Graph
from blockops.graph.node import ImageNode
from blockops.graph.tracking import DirtyMap, TrackingNode
from blockops.lab.judging import evidence_of
from blockops.lab.laws import judge
from blockops.lab.mirrors import MirrorWatch, targets_of
from blockops.lab.results import Verdict
from tests.graph.bench import Bench, make_bench
from tests.lab.cases import case, faults, seen

TARGET = ("d0", "/vm/t0")


@attrs.define(eq=False)
class Scene:
    """Device d0 on /vm/d0, and an image /vm/t0 that is opened, over nothing."""

    bench: Bench = attrs.field(factory=make_bench)
    target: ImageNode = attrs.field(init=False)
    watch: MirrorWatch = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.bench.show("d0", self.bench.make("/vm/d0"))
        self.target = self.bench.open(self.bench.make("/vm/t0"))
        self.watch = MirrorWatch(self.graph)
        self.watch.look(0)

    @property
    def graph(self) -> Graph:
        return self.bench.graph

    def mirrored(self, now: int) -> None:
        self.bench.apply(Mirror("d0", self.target))
        self.watch.look(now)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_mirror_begins_once_however_often_one_looks(scene: Scene) -> None:
    scene.mirrored(3)
    scene.watch.look(4)
    assert (scene.watch.began, scene.watch.left) == ({TARGET: 3}, {})


def test_a_device_leaves_a_mirror_for_its_target_only(scene: Scene) -> None:
    scene.mirrored(3)
    source = scene.graph.tops["d0"]
    assert source is not None
    scene.graph.tops["d0"] = source.source
    scene.watch.look(5)
    assert (scene.watch.began, scene.watch.left) == ({}, {})
    scene.mirrored(6)
    scene.bench.apply(Promote("d0", scene.target, None))
    scene.watch.look(7)
    assert (scene.watch.began, scene.watch.left) == ({}, {TARGET: 7})


def test_one_that_is_closed_and_opened_anew_has_left_the_mirror_all_the_same(scene: Scene) -> None:
    scene.mirrored(3)
    scene.bench.apply(Replace("d0", None))
    scene.watch.look(5)
    assert (scene.watch.began, scene.watch.left) == ({}, {})
    scene.bench.apply(Replace("d0", scene.target))
    scene.watch.look(6)
    assert scene.watch.left == {TARGET: 6}


def test_a_switch_that_is_taken_back_and_made_again_counts_when_it_was_made_again(scene: Scene) -> None:
    scene.mirrored(3)
    plan = scene.bench.planned(Promote("d0", scene.target, None))
    list(plan.commit())
    scene.watch.look(5)
    plan.revert()
    scene.watch.look(6)
    assert (scene.watch.began, scene.watch.left) == ({TARGET: 6}, {})
    scene.bench.apply(Promote("d0", scene.target, None))
    scene.watch.look(8)
    assert scene.watch.left == {TARGET: 8}


def test_the_filter_of_a_mirror_job_counts_too(scene: Scene) -> None:
    upper = scene.graph.tops["d0"]
    assert upper is not None
    job = TrackingNode("#job", upper, scene.target, DirtyMap(upper.size, 4096))
    scene.graph.tops["d0"] = job
    scene.watch.look(2)
    assert targets_of(job) == ("/vm/t0",)
    scene.graph.tops["d0"] = scene.target
    scene.watch.look(9)
    assert scene.watch.left == {TARGET: 9}


# ---------------------------------------------------------------------------------------------- in cases


def test_the_instant_of_a_wanted_mirror_is_when_it_began() -> None:
    evidence = seen("transaction.hardened.naive/mirror-many-2/no-fault")
    assert set(map(type, evidence.instants.values())) == {int}
    assert len(evidence.instants) == 2
    assert not evidence.switches
    assert judge(evidence)["one-instant"].verdict is Verdict.HELD
    last = evidence.history.time
    evidence.instants = {**evidence.instants, 1: last}
    found = judge(evidence)["one-instant"]
    assert (found.verdict, found.key) == (Verdict.VIOLATED, "skewed")


def test_the_switch_of_a_migration_is_judged_as_a_set_of_its_own() -> None:
    evidence = seen("freeze.hardened.careful/migrate-many-2/no-fault")
    assert set(map(type, evidence.instants.values())) == {bytes}
    assert set(evidence.switches) == {0, 1}
    assert judge(evidence)["one-instant"].verdict is Verdict.HELD
    evidence.switches = {**evidence.switches, 1: evidence.history.time}
    found = judge(evidence)["one-instant"]
    assert (found.verdict, found.key) == (Verdict.VIOLATED, "switched apart")


def test_devices_that_are_switched_one_by_one_are_switched_apart() -> None:
    """Where the guest gets from one device to the other in between."""
    start = case("drive-migrate.hardened.careful/migrate-many-2/no-fault")
    keys = set()
    for fault in faults(start, frozenset({"guest-runs"}), 30, 0):
        evidence = evidence_of(attrs.evolve(start, fault=fault))
        evidence.instants = {}
        keys.add(judge(evidence)["one-instant"].key)
    assert "switched apart" in keys


def test_a_device_that_shows_none_of_its_mirrors_has_not_switched() -> None:
    evidence = seen("transaction.hardened.naive/group-snapshot-2/no-fault")
    assert (evidence.switches, evidence.left, evidence.mirrored) == ({}, {}, {})
