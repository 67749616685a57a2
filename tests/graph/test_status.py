"""What is known of a chain without reading it, against a model that knows of each sector who wrote it."""

from itertools import pairwise

import attrs
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from blockops.errors import InvalidRequest
from blockops.graph.formats import NewImage, Opening, create_image, open_node
from blockops.graph.graph import Graph
from blockops.graph.node import ImageNode
from blockops.graph.status import Stretch, holds, stretches
from blockops.host.memory import MemoryDisk, MemoryFolder

SECTOR = 512
SECTORS = 48
ROOM = SECTORS * SECTOR


@attrs.frozen
class Layer:
    """An image: its size and cluster size in sectors, and the clusters that are written, or zeroed."""

    size: int
    cluster: int
    raw: bool
    written: frozenset[int]
    zeroed: frozenset[int]

    @property
    def format(self) -> str:
        return "raw" if self.raw else "qcow2"

    def at(self, sector: int) -> tuple[bool, bool] | None:
        """What it knows of a sector: allocated and zero; None where that is its backing's."""
        if self.raw or sector // self.cluster in self.written - self.zeroed:
            return (True, False)
        return (False, True) if sector // self.cluster in self.zeroed else None


@st.composite
def layers(draw: st.DrawFn) -> list[Layer]:
    """A chain, its base first."""

    def layer(raw: bool) -> Layer:
        cluster = draw(st.sampled_from([1, 2, 4]))
        clusters = st.frozensets(st.integers(0, SECTORS // cluster - 1), max_size=8)
        return Layer(draw(st.integers(1, SECTORS)), cluster, raw, draw(clusters), draw(clusters))

    return [layer(draw(st.booleans())), *(layer(False) for _ in range(draw(st.integers(0, 3))))]


def expected(chain: list[Layer], sector: int) -> tuple[bool, bool]:
    for layer in reversed(chain):
        if sector >= layer.size:
            return (False, True)
        known = layer.at(sector)
        if known is not None:
            return known
    return (False, True)


def built(chain: list[Layer]) -> ImageNode:
    """The chain as images, opened."""
    host = MemoryFolder(MemoryDisk())
    for number, layer in enumerate(chain):
        below, backing = (str(number - 1), chain[number - 1].format) if number else (None, None)
        size, cluster = layer.size * SECTOR, layer.cluster * SECTOR
        create_image(host, NewImage(str(number), layer.format, size, below, backing, cluster), durable=False)
        node = open_node(Graph(), host, str(number), layer.format, Opening())
        for cluster_number in sorted(layer.written | layer.zeroed):
            offset = cluster_number * cluster
            length = min(cluster, size - offset)
            if length > 0 and not layer.raw:
                node.write(offset, b"x" * length)
                if cluster_number in layer.zeroed:
                    node.write_zeroes(offset, length)
        node.close()
    return open_node(Graph(), host, str(len(chain) - 1), chain[-1].format, Opening())


@given(layers(), st.integers(0, ROOM), st.integers(0, ROOM))
def test_of_each_byte_it_is_known_who_has_it_and_neighbours_that_differ(
    chain: list[Layer], one: int, other: int
) -> None:
    node = built(chain)
    begin, end = sorted(min(n, node.size) for n in (one, other))
    found = list(stretches(node, begin, end - begin))
    flat = [known[1:] for known in found for _ in range(known.length)]
    assert flat == [expected(chain, byte // SECTOR) for byte in range(begin, end)]
    assert all(before[1:] != after[1:] for before, after in pairwise(found))
    assert all(not known.zero or not any(read(node, begin, found, known)) for known in found)


def read(node: ImageNode, begin: int, found: list[Stretch], which: Stretch) -> bytes:
    """The bytes of one of the stretches."""
    before = sum(known.length for known in found[: found.index(which)])
    return node.read(begin + before, which.length)


@given(layers(), st.integers(0, SECTORS), st.integers(0, SECTORS))
def test_an_overlay_holds_what_is_its_own_be_it_zero(chain: list[Layer], one: int, other: int) -> None:
    assume(len(chain) > 1)  # zeros of an image without a backing need no place
    node, top = built(chain), chain[-1]
    begin, end = sorted(min(n, top.size) for n in (one, other))
    own = any(top.at(sector) is not None for sector in range(begin, end))
    assert holds(node, begin * SECTOR, (end - begin) * SECTOR) is own


def test_what_lies_behind_the_end_is_refused() -> None:
    node = built([Layer(2, 1, False, frozenset(), frozenset())])
    with pytest.raises(InvalidRequest):
        list(stretches(node, 0, 3 * SECTOR))
