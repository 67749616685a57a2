"""Backing files named by a description are understood as by the real tool, or refused in one sentence."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.img.corpus import CREATE, JSON, Recipe
from tests.img.tools import content, ours, refused, run

Tool = Callable[[str], str]
pytestmark = pytest.mark.real_tool("qemu-img", "qemu-io")


@pytest.fixture(autouse=True)
def base(real_tool: Tool, folder: Path) -> None:
    (folder / "sub").mkdir()
    Recipe("", (f"{CREATE} base 640k", "qemu-io -c 'write -P 3 0 100k' base")).make(real_tool)


@pytest.mark.parametrize("text", [*JSON, '{"driver":"raw","file":{"driver":"file","filename":"base"}}'])
@pytest.mark.parametrize("name", ["image", "sub/image"])
def test_an_overlay_can_be_created_and_rebased_over_a_description(
    name: str, text: str, real_tool: Tool
) -> None:
    format = "raw" if "raw" in text else "qcow2"
    command = ["create", "-f", "qcow2", "-b", f"json:{text}", "-F", format, name]
    mine = ours(*command)
    shown = content(real_tool("qemu-img"), name)
    real = run(real_tool("qemu-img"), *command)
    assert (mine.code, mine.out) == (real.code, real.out)
    assert shown == content(real_tool("qemu-img"), name)
    assert ours("compare", name, "base").code == (format == "raw")
    assert ours("rebase", "-b", f"json:{text}", "-F", format, name).code == 0
    assert content(real_tool("qemu-img"), name) == shown


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[" * 1000,
        "5",
        "{}",
        '{"driver":"nbd","host":"x"}',
        '{"driver":"qcow2","file":{"driver":"https","url":"x"}}',
        '{"driver":"qcow2","file":{"driver":"file","filename":7}}',
        '{"driver":"nothing","file.filename":"base"}',
        '{"driver":"qcow2","lazy-refcounts":true,"file":{"driver":"file","filename":"base"}}',
        '{"driver":"file","filename":"missing"}',
    ],
)
def test_what_is_not_understood_is_refused(text: str, real_tool: Tool) -> None:
    Recipe("", (f"{CREATE} image 1M",)).make(real_tool)
    assert ours("rebase", "-u", "-b", f"json:{text}", "-F", "qcow2", "image").code == 0
    for verb in ("map", "check"):
        refused(ours(verb, "image"), 1)
    assert ours("info", "--backing-chain", "image").code == 1
    assert ours("info", "image").code == 0
