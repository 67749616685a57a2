"""Cache modes: what each changes at the host seam, and that cases in each are judged and named."""

import attrs
import pytest

from blockops.device import Device, Operation
from blockops.errors import HostError
from blockops.graph.formats import NewImage, create_image
from blockops.host.memory import MemoryDisk, MemoryFolder
from blockops.lab.cache import Cache
from blockops.lab.exploring import record
from blockops.lab.faults import parse_fault
from blockops.lab.faults.fault import Recording
from blockops.lab.hosts import Clock, FaultyFolder
from blockops.lab.judging import evidence_of, judged
from blockops.lab.world import World, as_dict, from_dict
from blockops.machine import Machine
from tests.contracts.host_world import content, put
from tests.lab.cases import setting, violated

CONTESTANT = ("group-snapshot.hardened.careful", "group-snapshot")


def machine(cache: Cache, fault: str = "no-fault") -> tuple[Device, Clock]:
    """A machine with one small disk in this mode; operations are counted from its opening on."""
    disk = MemoryDisk()
    create_image(MemoryFolder(disk), NewImage("image", "qcow2", 65536, cluster_size=4096), durable=True)
    clock = Clock(parse_fault(fault), recording=True, running=True)
    host = FaultyFolder(MemoryFolder(disk), clock, cache)
    return Machine(host, write_through=cache.write_through).attach("d0", "image"), clock


@pytest.mark.parametrize(
    ("cache", "after_the_write", "after_the_flush"),
    [
        (Cache.WRITEBACK, False, True),
        (Cache.WRITETHROUGH, True, True),
        (Cache.NONE, False, True),
        (Cache.DIRECTSYNC, True, True),
        (Cache.UNSAFE, False, False),
    ],
)
def test_a_mode_says_when_the_host_is_flushed(
    cache: Cache, after_the_write: bool, after_the_flush: bool
) -> None:
    device, clock = machine(cache)
    device.write(0, b"x" * 512)
    assert flushed(clock) is after_the_write
    device.flush()
    assert flushed(clock) is after_the_flush
    assert device.read(0, 512) == b"x" * 512


def flushed(clock: Clock) -> bool:
    return any(operation.operation == "flush" for operation in clock.operations)


@pytest.mark.parametrize("cache", [Cache.WRITETHROUGH, Cache.DIRECTSYNC])
def test_a_write_through_whose_flush_fails_is_a_failed_write(cache: Cache) -> None:
    device, clock = machine(cache)
    device.write(0, b"x" * 512)
    flush = next(operation for operation in clock.operations if operation.operation == "flush")
    device, clock = machine(cache, f"eio@{flush.number}")
    with pytest.raises(HostError, match="flush"):
        device.write(0, b"x" * 512)
    device.write(0, b"y" * 512)
    assert device.read(0, 512) == b"y" * 512


@pytest.mark.parametrize("cache", Cache)
def test_only_what_went_through_the_page_cache_can_be_dropped(cache: Cache) -> None:
    clock = Clock(parse_fault("dropped@2"), running=True)
    folder = FaultyFolder(MemoryFolder(MemoryDisk()), clock, cache)
    clock.running = False
    put(folder, "file", b"a" * 512)
    file = folder.open("file", writable=True)
    clock.running = True
    file.write(0, b"b" * 512)
    if cache is Cache.UNSAFE:
        file.flush()
    else:
        with pytest.raises(HostError):
            file.flush()
    clock.disarm()
    lost = cache in (Cache.WRITEBACK, Cache.WRITETHROUGH)
    assert content(folder, "file") == (bytes(512) if lost else b"b" * 512)


# ------------------------------------------------------------------------------------- worlds and cases


def recorded(cache: Cache) -> Recording:
    return record(setting(*CONTESTANT, World(cache=cache)))


def flushes(recording: Recording, actor: str) -> int:
    return sum(one.operation == "flush" and one.actor == actor for one in recording.operations)


def test_a_mode_changes_how_many_fault_points_there_are() -> None:
    usual, through, unsafe = (
        recorded(cache) for cache in (Cache.WRITEBACK, Cache.WRITETHROUGH, Cache.UNSAFE)
    )
    assert flushes(through, "guest") > flushes(usual, "guest") > flushes(unsafe, "guest") == 0
    assert flushes(usual, "hypervisor") > flushes(unsafe, "hypervisor") == 0
    assert flushes(unsafe, "management") == flushes(usual, "management") > 0


def test_a_world_s_mode_is_in_its_name_and_comes_back() -> None:
    worlds = [World(cache=cache) for cache in Cache]
    assert [world.standard for world in worlds] == [True, False, False, False, False]
    assert len({world.digest() for world in worlds}) == len(Cache)
    assert [from_dict(as_dict(world)) for world in worlds] == worlds


@pytest.mark.parametrize("cache", Cache)
@pytest.mark.parametrize("fault", ["no-fault", "eio@20", "dropped+@18", "kill@step-30"])
def test_the_hardened_group_snapshot_keeps_the_data_in_every_mode(cache: Cache, fault: str) -> None:
    start = setting(*CONTESTANT, World(cache=cache))
    found = judged(attrs.evolve(start, fault=parse_fault(fault)))
    assert found.broken == ()
    assert not {"content", "nothing-lost", "all-or-nothing", "sound"} & set(violated(found))


@pytest.mark.parametrize("cache", [Cache.WRITETHROUGH, Cache.DIRECTSYNC])
def test_what_was_acknowledged_through_no_cache_was_promised_to_be_durable(cache: Cache) -> None:
    writes = evidence_of(setting(*CONTESTANT, World(cache=cache))).history.writes
    settled = [
        one for one in writes if one.acknowledged is not None and one.operation is not Operation.DISCARD
    ]
    assert len(settled) > 5
    assert all(one.durable == one.acknowledged for one in settled)
