"""`blockops img map` finds every byte where the real qemu-img map finds it."""

import resource
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from blockops.host.posix import PosixFolder
from blockops.img.extents import Extent, extents
from blockops.img.opening import open_chain
from tests.img.corpus import CHAINS, CORPUS, CREATE, Recipe
from tests.img.tools import content, done, ours, refused, run

Tool = Callable[[str], str]
pytestmark = pytest.mark.real_tool("qemu-img", "qemu-io")
READABLE = [recipe for recipe in CORPUS if recipe.lacks in (None, "compressed clusters")]
corpus = pytest.mark.parametrize("recipe", READABLE, ids=lambda recipe: recipe.name)


@corpus
def test_every_extent_is_that_of_the_real_tool(made: Recipe, real_tool: Tool) -> None:
    command = ["map", "--output=json", "image"]
    mine, real = ours(*command), run(real_tool("qemu-img"), *command)
    assert (mine.code, mine.err) == (real.code, "") == (0, ""), made
    assert mine.json == real.json
    assert mine.out == real.out


@corpus
def test_people_read_what_the_real_tool_prints(made: Recipe, real_tool: Tool) -> None:
    mine, real = ours("map", "image"), run(real_tool("qemu-img"), "map", "image")
    assert mine.code == real.code == (made.lacks is not None)
    assert mine.out == real.out


@pytest.mark.parametrize("recipe", CHAINS, ids=lambda recipe: recipe.name)
@pytest.mark.parametrize(
    "part",
    [
        ("--start-offset=100k",),
        ("--max-length=150k",),
        ("--start-offset", "70001", "--max-length", "1"),
        ("--start-offset=0x12345", "--max-length=0x23456"),
        ("--start-offset=1T",),
    ],
    ids="".join,
)
def test_a_part_of_the_disk_has_its_part_of_the_map(
    made: Recipe, part: tuple[str, ...], real_tool: Tool
) -> None:
    command = ["map", *part, "--output=json", "image"]
    mine, real = ours(*command), run(real_tool("qemu-img"), *command)
    assert (mine.code, mine.out) == (real.code, real.out)


@pytest.mark.parametrize(
    "recipe", [one for one in READABLE if one.name != "large"], ids=lambda recipe: recipe.name
)
def test_the_bytes_are_where_the_map_says(made: Recipe, real_tool: Tool, folder: Path) -> None:
    wanted = content(real_tool("qemu-img"), "image")
    with open_chain(PosixFolder(folder), "image") as chain:
        end = 0
        for extent in extents(chain):
            assert extent.start == end
            end = extent.end
            found = wanted[extent.start : extent.end]
            if extent.zero:
                assert not found.strip(b"\0")
            elif extent.offset is not None:
                with open(chain.layers[extent.depth].data.path, "rb") as file:
                    file.seek(extent.offset)
                    assert file.read(extent.length).ljust(extent.length, b"\0") == found
        assert end == chain.size == len(wanted)


def test_a_sparse_terabyte_is_mapped_in_little_memory_and_time(real_tool: Tool, folder: Path) -> None:
    writes = [f"-c 'write -P 1 {number}G 64k'" for number in range(0, 1024, 8)]
    Recipe("", (f"{CREATE} image 1T", f"qemu-io {' '.join(writes)} image")).make(real_tool)
    with open_chain(PosixFolder(folder), "image") as chain:
        tracemalloc.start()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
        count = sum(1 for _ in extents(chain))
        spent = resource.getrusage(resource.RUSAGE_SELF).ru_utime - before
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert count == 256
    assert peak < 2 << 20, "more than a few L2 tables"
    assert spent < 5


def test_a_chain_of_a_hundred_images_has_a_map(real_tool: Tool, folder: Path) -> None:
    done(real_tool("qemu-img"), "create", "-q", "-f", "qcow2", "0", "8M")
    for number in range(1, 100):
        done(real_tool("qemu-img"), "create", "-q", "-f", "qcow2", "-b", number - 1, "-F", "qcow2", number)
    for number in range(0, 100, 9):
        done(real_tool("qemu-io"), "-c", f"write -P {number + 1} {number * 64}k 100k", str(number))
    command = ["map", "--output=json", "99"]
    assert ours(*command).out == run(real_tool("qemu-img"), *command).out


def test_an_extent_is_a_value(folder: Path) -> None:
    Path("disk").write_bytes(b"x" * 4096)
    with open_chain(PosixFolder(folder), "disk") as chain:
        assert list(extents(chain)) == [Extent(0, 4096, 0, True, False, True, 0)]


def test_tables_on_top_of_each_other_end_the_map(real_tool: Tool, folder: Path) -> None:
    done(real_tool("qemu-img"), "create", "-q", "-f", "qcow2", "image", "8T")
    content = bytearray((folder / "image").read_bytes())
    table = int.from_bytes(content[40:48], "big")
    content[table : table + 8 * 16384] = (1 << 63 | 0x20000).to_bytes(8, "big") * 16384
    (folder / "image").write_bytes(content)
    mine = ours("map", "image")
    assert (mine.code, len(mine.err.splitlines())) == (1, 1)
    assert "L1 table at offset" in mine.err


def test_what_has_no_map_is_refused(real_tool: Tool, folder: Path) -> None:
    Recipe("", (f"{CREATE} base 1M", f"{CREATE} -b base -F qcow2 image")).make(real_tool)
    (folder / "base").unlink()
    for arguments in (
        ["image"],
        ["missing"],
        ["."],
        ["--start-offset=-1", "image"],
        ["--max-length=x", "image"],
    ):
        refused(ours("map", *arguments), 1)
        assert run(real_tool("qemu-img"), "map", *arguments).code == 1
