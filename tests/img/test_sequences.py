"""Whatever is done to images in a row, ours and the real tool's stay equal, and ours stay sound.

Two folders hold the same images.  Each step is drawn, done by `blockops img` in one and by the real qemu-img
in the other; what every image shows is compared after it, and the real tool checks ours.  Writes go through
our core on the one side and through qemu-io on the other.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blockops.host.posix import PosixFolder
from blockops.img.opening import open_chain
from tests.img.tools import content, ours, run

Tool = Callable[[str], str]
pytestmark = pytest.mark.real_tool("qemu-img", "qemu-io")

OPTIONS = (
    "",
    "cluster_size=512",
    "cluster_size=4k,compat=0.10",
    "extended_l2=on,cluster_size=16k",
    "refcount_bits=1",
)
NAMES = ("a", "b", "c")
SIZE = 192 * 1024

Step = tuple[str, ...]

# What docs/img.md says that we refuse: to empty an overlay that has snapshots, and to make some images of
# version 2 shorter.
REFUSED_BY_US = ("commit", "resize")


def steps() -> st.SearchStrategy[Step]:
    """A verb and its arguments; whether they make sense where they are done is the tools' business."""
    name, other = st.sampled_from(NAMES), st.sampled_from(NAMES)
    offset, length = st.integers(0, SIZE - 512).map(str), st.integers(1, 90_000).map(str)
    size = st.integers(1, 600).map(lambda sectors: str(512 * sectors))
    return st.one_of(
        st.tuples(st.just("create"), name, st.sampled_from(OPTIONS), size),
        st.tuples(st.just("overlay"), name, other, st.sampled_from(OPTIONS)),
        st.tuples(st.just("write"), name, offset, length, st.integers(1, 255).map(str)),
        st.tuples(st.just("write"), name, offset, length, st.integers(1, 255).map(str)),
        st.tuples(st.just("zero"), name, offset, length),
        st.tuples(st.just("rebase"), name, other),
        st.tuples(st.just("flatten"), name),
        st.tuples(st.just("commit"), name),
        st.tuples(st.just("resize"), name, size),
        st.tuples(st.just("snapshot"), name, st.sampled_from(("-c", "-a", "-d"))),
        st.tuples(
            st.just("convert"), name, other, st.sampled_from(OPTIONS), st.sampled_from(("", "-c", "-S 512"))
        ),
    )


def arguments(step: Step) -> list[str]:
    """A step as arguments of qemu-img."""
    match step:
        case ("create", name, options, size):
            return ["create", "-q", "-f", "qcow2", *_given(options), name, size]
        case ("overlay", name, base, options):
            return ["create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", *_given(options), name]
        case ("rebase", name, base):
            return ["rebase", "-b", base, "-F", "qcow2", name]
        case ("flatten", name):
            return ["rebase", "-b", "", name]
        case ("commit", name):
            return ["commit", "-q", name]
        case ("resize", name, size):
            return ["resize", "-q", "--shrink", name, size]
        case ("snapshot", name, what):
            return ["snapshot", what, "s", name]
        case ("convert", name, other, options, how):
            return ["convert", "-O", "qcow2", *_given(options), *how.split(), name, other]
        case _:
            raise AssertionError(step)


def _given(options: str) -> list[str]:
    return ["-o", options] if options else []


@contextmanager
def working_in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def do_ours(folder: Path, step: Step) -> int:
    """Do a step with our tools; return its exit code."""
    with working_in(folder):
        if step[0] not in ("write", "zero"):
            return ours(*arguments(step)).code
        if not Path(step[1]).exists():
            return 1
        with open_chain(PosixFolder(folder), step[1], writable=True, durable=False) as chain:
            offset, length = int(step[2]), int(step[3])
            if offset + length > chain.size:
                return 1
            if step[0] == "write":
                chain.top.image.write(offset, bytes([int(step[4])]) * length)
            else:
                chain.top.image.write_zeroes(offset, length)
        return 0


def do_theirs(tool: Tool, folder: Path, step: Step) -> int:
    """Do a step with the real tools; return its exit code."""
    with working_in(folder):
        match step:
            case ("write", name, offset, length, value):
                return run(tool("qemu-io"), "-c", f"write -P {value} {offset} {length}", name).code
            case ("zero", name, offset, length):
                return run(tool("qemu-io"), "-c", f"write -z {offset} {length}", name).code
            case _:
                return run(tool("qemu-img"), *arguments(step)).code


def would_hang_in_a_loop(step: Step) -> bool:
    return step[0] in ("overlay", "rebase", "convert") and step[1] == step[2]


def replaces_a_base(folder: Path, step: Step) -> bool:
    """Whether a step would put a new image below others, whose owners lock it in the one tool only."""
    target = {"create": 1, "overlay": 1, "convert": 2}.get(step[0])
    if target is None:
        return False
    return any(step[target].encode() == _backing(folder / name) for name in NAMES if (folder / name).exists())


def _backing(path: Path) -> bytes:
    head = path.read_bytes()[:4096]
    offset, length = int.from_bytes(head[8:16], "big"), int.from_bytes(head[16:20], "big")
    return head[offset : offset + length] if offset else b""


def below(folder: Path, name: str) -> Iterator[str]:
    """The names below an image, which a step that changes one of them makes stale."""
    base = _backing(folder / name).decode() if (folder / name).exists() else ""
    while base:
        yield base
        base = _backing(folder / base).decode()


def has_overlays(folder: Path, step: Step) -> bool:
    """Whether a step changes an image that others lie over."""
    if step[0] not in ("write", "zero", "resize", "snapshot", "rebase", "flatten", "commit"):
        return False
    changed = [step[1]] if step[0] != "commit" else [step[1], *below(folder, step[1])]
    return any(one in below(folder, name) for name in NAMES for one in changed if name != step[1])


def agree(tool: Tool, mine: Path, theirs: Path, history: list[object]) -> None:
    """Assert that both folders show the same, and that ours is sound."""
    for name in NAMES:
        assert (mine / name).exists() == (theirs / name).exists(), history
        if (mine / name).exists():
            with working_in(mine):
                found = run(tool("qemu-img"), "check", name)
                assert found.code == 0, (history, found)
                shown = content(tool("qemu-img"), name)
            with working_in(theirs):
                assert shown == content(tool("qemu-img"), name), (name, history)
    assert not list(mine.glob("*.unfinished"))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(steps(), min_size=3, max_size=14))
def test_any_row_of_operations_leaves_what_the_real_tool_leaves(real_tool: Tool, drawn: list[Step]) -> None:
    top = Path(tempfile.mkdtemp())
    try:
        mine, theirs = top / "mine", top / "theirs"
        for folder in (mine, theirs):
            folder.mkdir()
            do_theirs(real_tool, folder, ("create", "a", "", str(SIZE)))
        history: list[object] = []
        for step in drawn:
            if would_hang_in_a_loop(step) or replaces_a_base(mine, step) or has_overlays(mine, step):
                continue
            codes = do_ours(mine, step), do_theirs(real_tool, theirs, step)
            history.append((step, codes))
            assert codes[0] == codes[1] or (codes == (1, 0) and step[0] in REFUSED_BY_US), history
            if codes[0] != codes[1]:
                break
            agree(real_tool, mine, theirs, history)
    finally:
        shutil.rmtree(top)
