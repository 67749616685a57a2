"""Whatever fails while a chain is opened: nothing stays open, nothing is changed, the next try works."""

import errno

import attrs
import pytest

from blockops.errors import BlockError, HostError
from blockops.graph.formats import NewImage, create_image
from blockops.host.memory import MemoryFolder
from blockops.host.memory_file import MemoryFile
from tests.graph.bench import CLUSTER, SIZE, Bench, make_bench


def three_images() -> Bench:
    bench = make_bench()
    bench.make("/vm/a")
    bench.make("/vm/b", "/vm/a")
    bench.make("/vm/c", "/vm/b")
    return bench


def beside_one_that_shares() -> Bench:
    bench = three_images()
    bench.show("d1", bench.make("/vm/other", "/vm/a"))
    bench.host.log.clear()
    return bench


SCENES = {"alone": three_images, "beside-one-that-shares": beside_one_that_shares}


def operations_of_opening(scene: str) -> list[tuple[str, str]]:
    bench = SCENES[scene]()
    bench.open("/vm/c")
    return bench.host.log


@pytest.mark.parametrize(
    ("scene", "opened"),
    [("alone", {"/vm/a", "/vm/b", "/vm/c"}), ("beside-one-that-shares", {"/vm/b", "/vm/c"})],
)
def test_opening_a_chain_opens_locks_and_reads_every_image_that_is_not_open(
    scene: str, opened: set[str]
) -> None:
    log = operations_of_opening(scene)
    assert {path for _, path in log} == opened
    for path in opened:
        assert {"open", "lock", "read"} <= {operation for operation, name in log if name == path}


@pytest.mark.parametrize(
    ("scene", "number"),
    [(scene, number) for scene in SCENES for number in range(len(operations_of_opening(scene)))],
)
def test_after_a_failed_operation_nothing_stays_open_and_the_next_try_works(scene: str, number: int) -> None:
    bench = SCENES[scene]()
    before, nodes = bench.handles(), bench.graph.open_nodes()
    bench.host.left = number
    with pytest.raises(HostError) as error:
        bench.open("/vm/c")
    assert error.value.code == errno.EIO
    assert bench.handles() == before
    assert bench.graph.open_nodes() == nodes
    bench.show("d0", "/vm/c")
    assert bench.chain() == ["/vm/c", "/vm/b", "/vm/a"]


@pytest.mark.parametrize("missing", ["/vm/a", "/vm/b", "/vm/c"])
def test_a_missing_image_closes_those_above_it(missing: str) -> None:
    bench = three_images()
    bench.memory.unlink(missing)
    with pytest.raises(HostError) as error:
        bench.open("/vm/c")
    assert (error.value.path, error.value.code) == (missing, errno.ENOENT)
    assert bench.handles() == []


@pytest.mark.parametrize("spoilt", ["/vm/a", "/vm/b", "/vm/c"])
def test_an_image_that_is_none_closes_those_above_it(spoilt: str) -> None:
    bench = three_images()
    with_garbage = MemoryFolder(bench.disk).open(spoilt, writable=True)
    with_garbage.write(4, b"\xff" * 100)
    with_garbage.close()
    with pytest.raises(BlockError):
        bench.open("/vm/c")
    assert bench.handles() == []


def test_a_node_that_others_use_survives_a_failure_above_it() -> None:
    bench = three_images()
    bench.show("d1", "/vm/b")
    bench.make("/vm/loop", "/vm/missing")
    with pytest.raises(HostError):
        bench.open("/vm/loop")
    bench.make("/vm/d", "/vm/b", "vmdk")
    bench.open("/vm/d")  # the recorded format is not looked at where the node is open already
    assert bench.chain("d1") == ["/vm/b", "/vm/a"]
    assert bench.graph.tops["d1"].read(0, 1) == b"\0"  # type: ignore[union-attr]


def test_where_closing_fails_too_the_rest_of_the_chain_is_closed_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = three_images()
    bench.memory.unlink("/vm/a")
    really_close = MemoryFile.close

    def close(self: MemoryFile) -> None:
        really_close(self)
        raise HostError("close", self.path, errno.EIO)

    monkeypatch.setattr(MemoryFile, "close", close)
    with pytest.raises(HostError) as error:
        bench.open("/vm/c")
    assert (error.value.operation, error.value.path) == ("open", "/vm/a"), "the first error is the one told"
    assert bench.handles() == []


@attrs.frozen
class Creation:
    """An image to create, and whether to flush it."""

    new: NewImage
    durable: bool


CREATIONS = [
    Creation(NewImage("/vm/n", "qcow2", SIZE, "/vm/a", "qcow2", CLUSTER), True),
    Creation(NewImage("/vm/n", "raw", SIZE), True),
    Creation(NewImage("/vm/n", "qcow2", SIZE), False),
]


@pytest.mark.parametrize("creation", CREATIONS, ids=["overlay", "raw", "not-flushed"])
def test_a_failed_creation_leaves_no_file_open(creation: Creation) -> None:
    whole = make_bench()
    create_image(whole.host, creation.new, durable=creation.durable)
    operations = [operation for operation, _ in whole.host.log if operation != "close"]
    assert ("flush" in operations) is creation.durable
    for number in range(len(operations)):
        bench = make_bench()
        bench.host.left = number
        with pytest.raises(HostError):
            create_image(bench.host, creation.new, durable=creation.durable)
        assert bench.handles() == []


def test_creating_wipes_what_is_there_only_if_it_is_told_to() -> None:
    bench = three_images()
    new = NewImage("/vm/a", "qcow2", 2 * SIZE)
    with pytest.raises(HostError) as error:
        create_image(bench.host, new, durable=False)
    assert error.value.code == errno.EEXIST
    assert bench.open("/vm/a", lock=False).size == SIZE
    create_image(bench.host, attrs.evolve(new, replace=True), durable=False)
    assert bench.open("/vm/a", lock=False).size == 2 * SIZE
