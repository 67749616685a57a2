"""`blockops img info` says of every image what the real qemu-img says, as JSON and for people."""

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from blockops.host.api import LockMode
from blockops.host.posix import PosixFolder
from blockops.img.info import backing_chain, info
from tests.img.corpus import CORPUS, CREATE, Recipe
from tests.img.tools import done, ours, refused, run

Tool = Callable[[str], str]
pytestmark = pytest.mark.real_tool("qemu-img", "qemu-io")
corpus = pytest.mark.parametrize("recipe", CORPUS, ids=lambda recipe: recipe.name)


@corpus
@pytest.mark.parametrize("options", [[], ["--backing-chain"], ["-U"]], ids=["one", "chain", "shared"])
def test_all_is_said_that_the_real_tool_says(made: Recipe, real_tool: Tool, options: list[str]) -> None:
    for output in ("json", "human"):
        command = ["info", *options, f"--output={output}", "image"]
        mine, real = ours(*command), run(real_tool("qemu-img"), *command)
        assert (mine.code, mine.err) == (real.code, "") == (0, ""), made
        assert mine.json == real.json if output == "json" else mine.out == real.out


@corpus
def test_the_library_returns_the_same_as_values(made: Recipe, real_tool: Tool, folder: Path) -> None:
    chain = [one.as_json() for one in backing_chain(PosixFolder(folder), "image")]
    assert chain == json.loads(
        done(real_tool("qemu-img"), "info", "--backing-chain", "--output=json", "image")
    )
    assert info(PosixFolder(folder), "image").as_json() == chain[0]


@pytest.mark.parametrize("start", ["image", "./image", "sub/image", "../{here}/image"])
def test_names_are_told_as_they_lead_there_from_here(start: str, real_tool: Tool, folder: Path) -> None:
    (folder / "sub").mkdir()
    start = start.format(here=folder.name)
    done(real_tool("qemu-img"), "create", "-q", "-f", "raw", "base", "64k")
    (folder / "sub" / "base").write_bytes(bytes(1024))
    for name in ("image", "sub/image"):
        done(real_tool("qemu-img"), "create", "-q", "-f", "qcow2", "-b", "./base", "-F", "raw", name)
    for output in ("json", "human"):
        command = ["info", "--backing-chain", "--output", output, start]
        mine, real = ours(*command), run(real_tool("qemu-img"), *command)
        assert mine.json == real.json if output == "json" else mine.out == real.out


def test_a_format_that_is_given_is_not_probed(real_tool: Tool) -> None:
    done(real_tool("qemu-img"), "create", "-q", "-f", "qcow2", "image", "64k")
    command = ["info", "-f", "raw", "--output=json", "image"]
    assert ours(*command).json == run(real_tool("qemu-img"), *command).json


def test_an_image_without_its_backing_still_has_facts(real_tool: Tool, folder: Path) -> None:
    Recipe("", (f"{CREATE} base 1M", f"{CREATE} -b base -F qcow2 image")).make(real_tool)
    (folder / "base").unlink()
    assert ours("info", "image").out == run(real_tool("qemu-img"), "info", "image").out
    refused(ours("info", "--backing-chain", "image"), 1, "base", "No such file")
    assert run(real_tool("qemu-img"), "info", "--backing-chain", "image").code == 1


def test_a_loop_ends_in_a_sentence(real_tool: Tool) -> None:
    Recipe("", (f"{CREATE} base 1M", f"{CREATE} -b base -F qcow2 image")).make(real_tool)
    done(real_tool("qemu-img"), "rebase", "-u", "-b", "image", "-F", "qcow2", "base")
    refused(ours("info", "--backing-chain", "image"), 1, "loop")
    assert run(real_tool("qemu-img"), "info", "--backing-chain", "image").code == 1


def test_somebody_who_writes_forbids_it_unless_it_is_forced(real_tool: Tool, folder: Path) -> None:
    done(real_tool("qemu-img"), "create", "-q", "-f", "qcow2", "image", "64k")
    file = PosixFolder(folder).open("image", writable=True)
    file.lock(LockMode.EXCLUSIVE)
    refused(ours("info", "image"), 1, "image", "lock")
    assert ours("info", "-U", "image").code == 0
    file.close()


def _patched(real_tool: Tool, offset: int, value: bytes) -> None:
    done(real_tool("qemu-img"), "create", "-q", "-f", "qcow2", "image", "64k")
    content = bytearray(Path("image").read_bytes())
    content[offset : offset + len(value)] = value
    Path("image").write_bytes(content)


HOSTILE = {
    "version-9": (4, struct.pack(">I", 9)),
    "clusters-of-2-to-the-63": (20, struct.pack(">I", 63)),
    "l1-table-of-32-gib": (36, struct.pack(">I", 0xFFFFFFFF)),
    "l1-table-beyond-the-end": (40, struct.pack(">Q", 1 << 40)),
    "no-refcount-table": (48, struct.pack(">Q", 0)),
    "a-billion-snapshots": (60, struct.pack(">IQ", 0x40000000, 0x10000)),
    "snapshots-nowhere": (60, struct.pack(">IQ", 1, 1 << 50)),
    "an-unknown-feature": (72, struct.pack(">Q", 1 << 40)),
    "backing-name-of-a-million-bytes": (8, struct.pack(">QI", 200, 1000000)),
    "extension-of-4-gib": (112, struct.pack(">II", 1, 0xFFFFFFFF)),
}


# The real tool reads tables behind the end of the file as zeros.  We do not: such a file was cut.
STRICTER = ("l1-table-beyond-the-end", "no-refcount-table", "snapshots-nowhere")


@pytest.mark.parametrize("name", HOSTILE)
def test_what_a_hostile_header_claims_is_refused_in_one_sentence(name: str, real_tool: Tool) -> None:
    _patched(real_tool, *HOSTILE[name])
    refused(ours("info", "image"), 1, "image")
    assert run(real_tool("qemu-img"), "info", "image").code == (0 if name in STRICTER else 1)


# Cut inside its version, its header extensions or its L1 table: the real tool takes the first for raw and
# reads zeros for the others.
REFUSED_BY_US = (4, 104, 112, 65536, 196608)


@pytest.mark.parametrize("length", [0, 3, 71, 72, 103, *REFUSED_BY_US, 196616])
def test_a_file_cut_anywhere_ends_as_with_the_real_tool(length: int, real_tool: Tool, folder: Path) -> None:
    done(real_tool("qemu-img"), "create", "-q", "-f", "qcow2", "image", "64k")
    os.truncate("image", length)
    mine, real = ours("info", "image"), run(real_tool("qemu-img"), "info", "image")
    assert (mine.code, real.code) == (1, 0) if length in REFUSED_BY_US else mine.code == real.code
    if mine.code:
        refused(mine, 1, "image")


def test_what_is_no_image_is_refused_with_the_reason(folder: Path) -> None:
    Path("secret").write_bytes(b"x")
    Path("garbage").write_bytes(os.urandom(1000))
    os.mkfifo("pipe")
    refused(ours("info", "missing"), 1, "missing", "No such file")
    refused(ours("info", "."), 1, "Is a directory")
    refused(ours("info", "pipe"), 1, "pipe")
    refused(ours("info", "secret/x"), 1, "Not a directory")
    refused(ours("info", "-f", "qcow2", "garbage"), 1, "garbage", "not a qcow2 image")
    assert ours("info", "garbage").code == 0


@pytest.mark.parametrize(
    "arguments",
    [["info"], ["info", "a", "b"], ["info", "-x", "a"], ["info", "--output", "xml", "a"], [], ["nothing"]],
)
def test_usage_that_is_none_ends_with_code_one(arguments: list[str], real_tool: Tool) -> None:
    refused(ours(*arguments), 1)
    assert run(real_tool("qemu-img"), *arguments).code == 1


def test_a_format_that_nobody_knows_is_refused_by_name(real_tool: Tool) -> None:
    done(real_tool("qemu-img"), "create", "-q", "-f", "qcow2", "image", "64k")
    refused(ours("info", "-f", "qcow3", "image"), 1, "qcow3")
