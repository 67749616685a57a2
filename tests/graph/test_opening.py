"""Opening an image by name: its format, the chain below it, locks, and nodes that are open already."""

import pytest

from blockops.errors import HostError, ImageError, InvalidBlockFormat
from blockops.graph.formats import backing_of, resolve_backing
from blockops.graph.graph import MAX_CHAIN
from blockops.graph.node import ImageNode
from blockops.host.api import LockMode
from blockops.host.memory import MemoryFolder
from tests.graph.bench import CLUSTER, SIZE, Bench


def test_a_chain_is_opened_to_its_end_and_only_its_top_is_writable(bench: Bench) -> None:
    bench.make("/vm/a")
    bench.make("/vm/b", "/vm/a")
    bench.show("d0", bench.make("/vm/c", "/vm/b"))
    assert bench.chain() == ["/vm/c", "/vm/b", "/vm/a"]
    assert [node.writable for node in bench.graph.chain("d0")] == [True, False, False]
    assert bench.handles() == ["/vm/a", "/vm/b", "/vm/c"]


def test_a_read_passes_down_the_chain_to_where_the_bytes_are(bench: Bench) -> None:
    for name, backing, data in (("/vm/a", None, b"from a"), ("/vm/b", "/vm/a", b"from b")):
        node = bench.open(bench.make(name, backing))
        node.write(CLUSTER * (name == "/vm/b"), data)
        node.close()
        bench.graph.collect()
    top = bench.open(bench.make("/vm/c", "/vm/b"))
    assert top.read(0, 6) == b"from a"
    assert top.read(CLUSTER, 6) == b"from b"
    assert top.read(2 * CLUSTER, 6) == bytes(6)


@pytest.mark.parametrize(
    ("overlay", "recorded", "path"),
    [
        ("/vm/sub/o", "b", "/vm/sub/b"),
        ("/vm/sub/o", "../b", "/vm/b"),
        ("/vm/sub/o", "./x/../b", "/vm/sub/b"),
        ("/vm/sub/o", "/vm/b", "/vm/b"),
        ("/o", "../../b", "/b"),
    ],
)
def test_a_backing_name_counts_from_the_folder_of_the_image_that_records_it(
    overlay: str, recorded: str, path: str
) -> None:
    assert resolve_backing(overlay, recorded) == path


def test_relative_backing_names_count_from_each_image_and_not_from_the_process(bench: Bench) -> None:
    bench.make("/vm/sub/a")
    bench.make("/vm/sub/b", "a")
    bench.show("d0", bench.make("/vm/c", "sub/b"))
    assert bench.chain() == ["/vm/c", "/vm/sub/b", "/vm/sub/a"]


def test_an_image_that_is_opened_by_a_relative_name_keeps_the_name_and_knows_its_path(bench: Bench) -> None:
    bench.make("/vm/sub/a")
    node = bench.open("sub/../sub/a")
    assert (node.filename, node.path) == ("sub/../sub/a", "/vm/sub/a")


def test_the_format_is_probed_only_where_none_is_given(bench: Bench) -> None:
    bench.make("/vm/a")
    assert bench.open("/vm/a", lock=False).format == "qcow2"
    as_raw = bench.open("/vm/a", "raw", lock=False)
    assert as_raw.format == "raw"
    assert as_raw.read(0, 4) == b"QFI\xfb"
    assert bench.open(bench.make("/vm/r", format="raw")).format == "raw"


def test_the_recorded_backing_format_is_believed(bench: Bench) -> None:
    bench.make("/vm/a")
    top = bench.open(bench.make("/vm/b", "/vm/a", "raw"))
    assert isinstance(top.backing, ImageNode)
    assert top.backing.format == "raw"
    assert top.read(0, 4) == b"QFI\xfb"


@pytest.mark.parametrize("format", ["vmdk", "", "QCOW2"])
def test_an_unknown_format_is_refused_by_name_and_nothing_stays_open(bench: Bench, format: str) -> None:
    bench.make("/vm/a")
    with pytest.raises(InvalidBlockFormat) as error:
        bench.open("/vm/a", format)
    assert error.value.name == format
    assert bench.handles() == []


def test_an_unknown_backing_format_is_refused_too(bench: Bench) -> None:
    bench.make("/vm/a")
    with pytest.raises(InvalidBlockFormat):
        bench.open(bench.make("/vm/b", "/vm/a", "vmdk"))
    assert bench.handles() == []


def test_without_backing_nothing_below_is_touched(bench: Bench) -> None:
    node = bench.open(bench.make("/vm/b", "/vm/not-there"), backing=False)
    assert node.backing is None
    assert backing_of(node) == ("/vm/not-there", "qcow2")
    assert bench.handles() == ["/vm/b"]


@pytest.mark.parametrize(
    "chain",
    [["/vm/a"], ["/vm/b", "/vm/a"], ["/vm/c", "/vm/b", "/vm/a"]],
    ids=["itself", "two", "three"],
)
@pytest.mark.parametrize("share", [False, True])
def test_a_chain_that_comes_back_to_itself_is_refused(bench: Bench, chain: list[str], share: bool) -> None:
    for name, backing in zip(chain, [*chain[1:], chain[0]], strict=True):
        bench.make(name, backing)
    with pytest.raises(ImageError, match="loop"):
        bench.open(chain[0], lock=False, share=share)
    assert bench.handles() == []
    assert bench.graph.open_nodes() == ()


def test_a_loop_further_down_is_refused_as_well(bench: Bench) -> None:
    bench.make("/vm/a", "/vm/b")
    bench.make("/vm/b", "/vm/a")
    with pytest.raises(ImageError, match="loop"):
        bench.open(bench.make("/vm/top", "./b"))
    assert bench.handles() == []


def long_chain(bench: Bench, length: int, name: str = "l") -> str:
    """Create a chain of so many images, and return its top."""
    below = None
    for number in range(length):
        below = bench.make(f"/vm/{name}{number}", below, size=512)
    assert below is not None
    return below


@pytest.mark.parametrize("share", [False, True])
def test_a_chain_as_long_as_may_be_can_be_read_and_a_longer_one_is_refused(bench: Bench, share: bool) -> None:
    top = long_chain(bench, MAX_CHAIN)
    with pytest.raises(ImageError, match="backing chain"):
        bench.open(bench.make("/vm/too-long", top), share=share)
    assert bench.handles() == []
    assert bench.show("d0", top, share=share).read(0, 512) == bytes(512)
    assert len(bench.handles()) == MAX_CHAIN


def test_the_part_of_a_chain_that_is_shared_counts_too(bench: Bench) -> None:
    top = bench.show("d0", long_chain(bench, MAX_CHAIN - 1))
    assert bench.open(bench.make("/vm/just", top.path)).read(0, 512) == bytes(512)
    before = bench.handles()
    with pytest.raises(ImageError, match="backing chain"):
        bench.open(bench.make("/vm/too-long", "/vm/just"))
    assert bench.handles() == before


def test_a_backing_that_is_open_already_is_shared(bench: Bench) -> None:
    bench.make("/vm/base")
    first = bench.show("d0", bench.make("/vm/a", "/vm/base"))
    second = bench.show("d1", bench.make("/vm/b", "base"))
    assert first.backing is second.backing
    assert bench.handles() == ["/vm/a", "/vm/b", "/vm/base"]


def test_where_nothing_is_shared_a_file_is_opened_as_often_as_it_is_named(bench: Bench) -> None:
    bench.make("/vm/base")
    bench.show("d0", bench.make("/vm/a", "/vm/base"), share=False)
    bench.show("d1", bench.make("/vm/b", "/vm/base"), share=False)
    assert bench.handles() == ["/vm/a", "/vm/b", "/vm/base", "/vm/base"]


def test_the_top_is_locked_for_itself_and_the_chain_against_writers_only(bench: Bench) -> None:
    bench.make("/vm/base")
    bench.open(bench.make("/vm/a", "/vm/base"))
    stranger = MemoryFolder(bench.disk)
    stranger.open("/vm/base", writable=False).lock(LockMode.SHARED)
    for path in ("/vm/base", "/vm/a"):
        with pytest.raises(HostError, match="lock"):
            stranger.open(path, writable=True).lock(LockMode.EXCLUSIVE)
    with pytest.raises(HostError, match="lock"):
        stranger.open("/vm/a", writable=False).lock(LockMode.SHARED)


def test_an_image_that_somebody_has_locked_is_not_opened(bench: Bench) -> None:
    bench.make("/vm/base")
    bench.make("/vm/a", "/vm/base")
    MemoryFolder(bench.disk).open("/vm/base", writable=True).lock(LockMode.EXCLUSIVE)
    with pytest.raises(HostError, match="lock"):
        bench.open("/vm/a")
    assert bench.handles() == []


def test_without_locks_the_same_file_can_be_written_twice(bench: Bench) -> None:
    bench.make("/vm/a")
    for _ in range(2):
        assert bench.open("/vm/a", lock=False).writable


def test_the_size_is_the_one_that_the_image_records(bench: Bench) -> None:
    assert bench.open(bench.make("/vm/a")).size == SIZE
    assert bench.open(bench.make("/vm/b", size=4 * SIZE)).size == 4 * SIZE
