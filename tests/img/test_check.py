"""`blockops img check` ends as the real qemu-img check, and gives the same figures."""

import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from blockops.host.posix import PosixFolder
from blockops.img.checking import Ending, check_image
from tests.img.corpus import CORPUS, CREATE, Recipe
from tests.img.tools import done, ours, refused, run

Tool = Callable[[str], str]
pytestmark = pytest.mark.real_tool("qemu-img", "qemu-io")
READABLE = [recipe for recipe in CORPUS if recipe.lacks in (None, "compressed clusters")]
corpus = pytest.mark.parametrize("recipe", READABLE, ids=lambda recipe: recipe.name)


@corpus
def test_a_sound_image_has_the_figures_of_the_real_tool(made: Recipe, real_tool: Tool) -> None:
    for output in ("human", "json"):
        command = ["check", "--output", output, "image"]
        mine, real = ours(*command), run(real_tool("qemu-img"), *command)
        assert mine.code == real.code
        if made.name.startswith("raw"):
            refused(mine, 63, "raw")
        else:
            assert mine.json == real.json if output == "json" else mine.out == real.out


LACKING = [recipe for recipe in CORPUS if recipe not in READABLE]


@pytest.mark.parametrize("recipe", LACKING, ids=lambda recipe: recipe.name)
def test_what_cannot_be_judged_is_refused_by_name(made: Recipe) -> None:
    refused(ours("check", "image"), 1, made.lacks)


def _damaged(real_tool: Tool, *patches: tuple[int, bytes]) -> None:
    """Make an image with a data cluster at 0x50000 and a spare one, then write over its metadata."""
    Recipe("", (f"{CREATE} image 1M", "qemu-io -c 'write 0 64k' image")).make(real_tool)
    content = bytearray(Path("image").read_bytes().ljust(0x80000, b"\0"))
    for offset, value in patches:
        content[offset : offset + len(value)] = value
    Path("image").write_bytes(content)


REFCOUNTS, L2 = 0x20000, 0x40000
LEAK = (REFCOUNTS + 2 * 7, b"\0\1")
LOST = (REFCOUNTS + 2 * 5, b"\0\0")
CROSSED = (L2 + 8, struct.pack(">Q", 1 << 63 | 0x50000))
DAMAGES = {"leak": [LEAK], "lost": [LOST], "both": [LEAK, LOST], "crossed": [CROSSED]}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("options", [[], ["-f", "qcow2"], ["-U"]], ids=["probed", "named", "shared"])
def test_a_damaged_image_ends_with_the_code_of_the_real_tool(
    damage: str, options: list[str], real_tool: Tool
) -> None:
    _damaged(real_tool, *DAMAGES[damage])
    command = ["check", *options, "--output=json", "image"]
    mine, real = ours(*command), run(real_tool("qemu-img"), *command)
    assert mine.code == real.code == (3 if damage == "leak" else 2)
    # The number of corruptions need not agree: the real tool may count their consequences, too.
    assert {**mine.json, "corruptions": 0} == {**real.json, "corruptions": 0}
    assert ("corruptions" in mine.json) == ("corruptions" in real.json)
    assert ours("check", "-q", "image").out == ""
    assert all(line.startswith(("corruption: ", "leak: ")) for line in mine.err.splitlines())


def test_leaks_are_told_in_the_words_of_the_real_tool(real_tool: Tool) -> None:
    _damaged(real_tool, LEAK)
    mine = ours("check", "image")
    assert mine.out == run(real_tool("qemu-img"), "check", "image").out
    assert "0x70000" in mine.err


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("what", ["leaks", "all"])
@pytest.mark.parametrize("output", ["human", "json"])
def test_a_repair_ends_as_that_of_the_real_tool(damage: str, what: str, output: str, real_tool: Tool) -> None:
    _damaged(real_tool, *DAMAGES[damage])
    shutil.copy("image", "theirs")
    mine = ours("check", "-r", what, "--output", output, "image")
    real = run(real_tool("qemu-img"), "check", "-r", what, "--output", output, "theirs")
    if what == "leaks" and damage != "leak":  # more is wrong than may be touched; QEMU may call that an error
        assert mine.code == 2
        assert real.code in (1, 2)
        assert "not repaired: " in mine.err
        return
    assert mine.code == real.code
    if mine.code == 0:
        assert run(real_tool("qemu-img"), "check", "image").code == 0
        if output == "json":
            fixed = {key: value for key, value in mine.json.items() if "end-offset" not in key}
            assert fixed.keys() - {"corruptions-fixed"} == real.json.keys() - {
                "corruptions-fixed",
                "image-end-offset",
            }
        else:
            assert "were found and repaired" in mine.out
            assert "No errors were found on the image." in mine.out
    assert ours("check", "-r", what, "image").code == mine.code


def test_a_repair_of_what_is_sound_changes_nothing(real_tool: Tool) -> None:
    _damaged(real_tool)
    before = Path("image").read_bytes()
    assert ours("check", "-r", "all", "image").out == run(real_tool("qemu-img"), "check", "image").out
    assert Path("image").read_bytes() == before
    refused(ours("check", "-r", "some", "image"), 1)
    Path("raw").write_bytes(bytes(512))
    refused(ours("check", "-r", "all", "raw"), 63)


def test_the_library_returns_the_findings(real_tool: Tool, folder: Path) -> None:
    _damaged(real_tool, LEAK, LOST)
    found = check_image(PosixFolder(folder), "image")
    assert found.ending is Ending.CORRUPT
    assert [finding.offset for finding in found.leaks] == [0x70000]
    assert found.allocated_clusters == 1


def test_a_check_that_cannot_begin_ends_with_code_one(real_tool: Tool, folder: Path) -> None:
    Recipe("", (f"{CREATE} base 1M", f"{CREATE} -b base -F qcow2 image")).make(real_tool)
    (folder / "base").unlink()
    Path("garbage").write_bytes(b"QFI\xfb\0\0\0\3" + bytes(200))
    for arguments in (["image"], ["missing"], ["garbage"], ["-f", "qcow2", "/dev/null"], ["."]):
        refused(ours("check", *arguments), 1)
        assert run(real_tool("qemu-img"), "check", *arguments).code == 1


def test_an_image_that_shares_an_l2_table_with_itself_a_thousand_times_takes_no_longer(
    real_tool: Tool, folder: Path
) -> None:
    done(real_tool("qemu-img"), "create", "-q", "-f", "qcow2", "image", "8T")
    content = bytearray((folder / "image").read_bytes())
    table = struct.unpack_from(">Q", content, 40)[0]
    content[table : table + 8 * 16384] = struct.pack(">Q", 1 << 63 | 0x20000) * 16384
    (folder / "image").write_bytes(content)
    assert ours("check", "-q", "image").code == 2
