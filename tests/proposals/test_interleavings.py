"""A command that is stepped, with others in between, ends as one that simply runs; no guest write is lost.

Hypothesis draws the contestant, what is asked of it, and who moves between two steps.
"""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockops.commands.profile import Profile
from blockops.device import Operation, Request
from blockops.machine import Machine
from blockops.qmp.command import Proposal
from blockops.qmp.dispatch import Connection, Server
from blockops.steps import Steps, run
from tests.commands.worlds import World, make_world
from tests.qmp.servers import CONTESTANTS, IDS

Message: TypeAlias = dict[str, object]
Make: TypeAlias = Callable[[Machine, Profile], Proposal]

BLOCK = 1024
BLOCKS = 8


@attrs.define(eq=False)
class Guest:
    """Writes single blocks, at most one request a block at a time; knows what each must read as."""

    world: World
    serial: int = 0
    pending: list[tuple[str, Request]] = attrs.field(factory=list)
    expected: dict[tuple[str, int], bytes] = attrs.field(factory=dict)

    def submit(self, name: str, block: int) -> None:
        if any((name, block) == (where, request.offset // BLOCK) for where, request in self.pending):
            return
        self.serial += 1
        data = b"%08d" % self.serial * (BLOCK // 8)
        request = Request(Operation.WRITE, block * BLOCK, BLOCK, data)
        self.pending.append((name, request))
        self.world.device(name).submit(request)

    def complete(self, name: str) -> None:
        device = self.world.device(name)
        if device.in_flight:
            device.complete_next()
        self.reap()

    def reap(self) -> None:
        for name, request in [pair for pair in self.pending if pair[1].state.value == "done"]:
            assert request.error is None
            self.expected[name, request.offset // BLOCK] = request.data
            self.pending.remove((name, request))

    def finish(self) -> None:
        while self.pending:
            for name in ("d0", "d1"):
                self.complete(name)

    def check(self, read: Callable[[str, int, int], bytes]) -> None:
        for (name, block), data in self.expected.items():
            assert read(name, block * BLOCK, BLOCK) == data, f"{name} block {block}"


def reference_script(name: str) -> list[Message]:
    """One sensible thing to ask of each contestant, on both devices."""
    snapshots: list[Message] = [
        {"execute": "blockdev-snapshot-sync", "arguments": {"device": f"d{n}", "snapshot-file": f"/vm/s{n}"}}
        for n in (0, 1)
    ]
    match name:
        case "group-snapshot" | "group-snapshot-v1":
            entries = [message["arguments"] for message in snapshots]
            return [{"execute": "blkdev-group-snapshot-sync", "arguments": {"devlist": entries}}]
        case "drive-migrate":
            migrations: list[Message] = [
                {
                    "execute": "drive-migrate",
                    "arguments": {"device": f"d{n}", "dest": f"/vm/dst/s{n}", "new-source": f"/vm/p{n}"},
                }
                for n in (0, 1)
            ]
            return [*migrations, reopen(0, "/vm/p0"), reopen(1, "/vm/p1")]
        case "transaction":
            mirror: Message = {"execute": "drive-mirror", "arguments": {"device": "d0", "dest": "/vm/m0"}}
            start: Message = {"execute": "blockdev-start-transaction"}
            return [
                start,
                *snapshots,
                mirror,
                {"execute": "blockdev-commit-transaction"},
                reopen(0, "/vm/s0"),
            ]
        case "freeze":
            around: list[Message] = [{"arguments": {"device": f"d{n}"}} for n in (0, 1)]
            freezes: list[Message] = [{"execute": "blockdev-freeze"} | device for device in around]
            thaws: list[Message] = [{"execute": "blockdev-unfreeze"} | device for device in around]
            return [*freezes, *snapshots, *thaws, reopen(1, "/vm/s1")]
        case "merged-transaction":
            actions = [{"type": m["execute"], "data": m["arguments"]} for m in snapshots]
            copy = {"device": "d0", "target": "/vm/m0", "sync": "full"}
            return [
                {"execute": "transaction", "arguments": {"actions": actions}},
                {"execute": "drive-mirror", "arguments": copy},
                {"execute": "block-job-cancel", "arguments": {"device": "d0"}},
            ]
        case "stop-cont":
            return [{"execute": "stop"}, *snapshots, {"execute": "cont"}]
        case _:
            return snapshots


def reopen(number: int, source: str) -> Message:
    return {"execute": "drive-reopen", "arguments": {"device": f"d{number}", "source": source}}


def prepare(profile: Profile, make: Make) -> tuple[World, Connection]:
    world = make_world(profile)
    for n in (0, 1):
        world.create(f"/vm/p{n}", backing_file=f"d{n}.qcow2", backing_format="qcow2")
        world.create(f"/vm/dst/s{n}", backing_file=f"d{n}.qcow2", backing_format="qcow2")
    return world, Server(make(world.machine, profile)).connect("test")


MOVES = st.tuples(
    st.sampled_from(["submit", "complete"]), st.sampled_from(["d0", "d1"]), st.integers(0, BLOCKS - 1)
)
SCHEDULES = st.lists(st.none() | MOVES, min_size=20, max_size=80)


def interleave(steps: Steps[object], guest: Guest, moves: Iterator[tuple[str, str, int] | None]) -> object:
    """Run *steps* to the end with one move of the guest after each of them."""
    while True:
        try:
            step = next(steps)
        except StopIteration as stop:
            return stop.value
        match next(moves, None):
            case ("submit", name, block):
                guest.submit(name, block)
            case ("complete", name, _):
                guest.complete(name)
            case _:
                if step.waits_for is not None:
                    step.waits_for.complete_next()
                    guest.reap()


@pytest.mark.parametrize(("name", "profile", "make"), CONTESTANTS, ids=IDS)
@given(moves=SCHEDULES)
def test_no_guest_write_is_lost_whatever_moves_between_the_steps(
    name: str, profile: Profile, make: Make, moves: list[tuple[str, str, int] | None]
) -> None:
    world, connection = prepare(profile, make)
    guest = Guest(world)
    schedule = iter(moves)
    for message in reference_script(name):
        assert interleave(connection.execute(message), guest, schedule) == {"return": {}}
    guest.finish()
    guest.check(lambda device, offset, length: world.device(device).read(offset, length))
    world.machine.flush_all()
    tops = {device: f"/vm/{world.chain(device)[0]}" for device in ("d0", "d1")}
    guest.check(lambda device, offset, length: world.content(tops[device], offset + length)[offset:])


@pytest.mark.parametrize(("name", "profile", "make"), CONTESTANTS, ids=IDS)
@given(data=st.data())
def test_stepped_with_a_bystander_in_between_it_ends_as_if_run_at_once(
    name: str, profile: Profile, make: Make, data: st.DataObject
) -> None:
    at_once, first = prepare(profile, make)
    stepped, second = prepare(profile, make)
    script = reference_script(name)
    chosen = data.draw(st.lists(st.sampled_from(script), max_size=8) | st.just(script))
    for message in chosen:
        bystander = second.server.connect("bystander").execute({"execute": "query-block"})
        reply = run(first.execute(message))
        assert run(alternating(second.execute(message), bystander)) == reply
    assert state(at_once) == state(stepped)


def alternating(steps: Steps[object], bystander: Steps[object]) -> Steps[object]:
    """Step *steps*, and the bystander once after each of them."""
    while True:
        try:
            step = next(steps)
        except StopIteration as stop:
            return stop.value
        yield step
        next(bystander, None)


def state(world: World) -> tuple[object, ...]:
    devices = world.machine.devices.values()
    return (
        world.disk.digest(),
        [world.chain(device.name) for device in devices],
        [(device.holds, device.user) for device in devices],
        world.handles(),
    )
