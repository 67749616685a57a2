"""Promoting a node that is open below a device already, and taking that back."""

import pytest

from blockops.commands.profile import Profile
from blockops.graph.change import Mirror, Promote
from blockops.graph.node import ImageNode
from tests.commands.worlds import World, make_world, open_quietly


@pytest.fixture
def world() -> World:
    """A machine whose d0 is mirrored to /vm/m0, which reads through a node called "shared"."""
    world = make_world(Profile.HARDENED)
    graph = world.machine.graph
    for name in ("m0", "shared", "recorded"):
        world.create(f"/vm/{name}")
    plan = graph.plan()
    target = opened(world, "/vm/m0")
    target.backing = opened(world, "/vm/shared")
    plan.add(Mirror("d0", target))
    list(plan.commit())
    plan.settle()
    return world


def opened(world: World, path: str) -> ImageNode:
    node = open_quietly(world.disk, path)
    world.machine.graph.adopt(node)
    return node


def files(world: World) -> set[str]:
    return {node.path for node in world.machine.graph.open_nodes()}


def test_a_promoted_node_is_shown_over_its_new_backing(world: World) -> None:
    graph = world.machine.graph
    target = graph.opened("/vm/m0")
    assert target is not None
    plan = graph.plan()
    plan.add(Promote("d0", target, opened(world, "/vm/recorded")))
    graph.collect()
    assert world.chain() == ["d0.qcow2"]
    assert "/vm/recorded" in files(world), "a plan keeps what it will show alive"
    list(plan.commit())
    assert world.chain() == ["m0", "recorded"]
    plan.settle()
    graph.collect()
    assert files(world) == {"/vm/m0", "/vm/recorded", "/vm/d1.qcow2"}


def test_a_reverted_promotion_hangs_the_node_back(world: World) -> None:
    graph = world.machine.graph
    target = graph.opened("/vm/m0")
    assert target is not None
    plan = graph.plan()
    plan.add(Promote("d0", target, opened(world, "/vm/recorded")))
    list(plan.commit())
    graph.collect()
    assert "/vm/shared" in files(world), "a plan keeps the way back alive"
    plan.abandon()
    assert world.chain() == ["d0.qcow2"]
    assert target.backing is graph.opened("/vm/shared")
    assert files(world) == {"/vm/m0", "/vm/shared", "/vm/d0.qcow2", "/vm/d1.qcow2"}
