"""Our verdict against that of the real `qemu-img check`, on images of real tools and on ruins of them.

The classes agree but for `EXCEPTIONS`, and so does the number of leaks.  The number of corruptions need
not: QEMU notes a bad entry once for each L1 table that leads to it, and may note its consequences too.
"""

import json
import random
import struct
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest

from blockops.qcow2.check import CheckReport, Verdict, check
from tests.qcow2.damage import ALL, Damage
from tests.qcow2.drawn import StillFile

pytestmark = pytest.mark.real_tool("qemu-img", "qemu-io")

Tool = Callable[[str], str]
CLEAN, LEAKS, CORRUPT, UNCHECKABLE = Verdict.CLEAN, Verdict.LEAKS, Verdict.CORRUPT, Verdict.UNCHECKABLE
OFFSETS = (1 << 56) - 512


@attrs.frozen
class Judged:
    """What `qemu-img check` says of an image, in our words."""

    verdict: Verdict
    corruptions: int
    leaks: int
    allocated: int
    total: int
    end: int
    says: str

    @property
    def numbers(self) -> tuple[int, int, int, int]:
        """What must be equal where nothing is corrupt."""
        return self.leaks, self.allocated, self.total, self.end


def numbers_of(ours: CheckReport) -> tuple[int, int, int, int]:
    return len(ours.leaks), ours.allocated_clusters, ours.total_clusters, ours.image_end_offset


def judge(program: str, path: Path) -> Judged:
    command = [program, "check", "--output=json", "-f", "qcow2", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = json.loads(done.stdout) if done.stdout.strip() else {}
    corruptions, leaks = found.get("corruptions", 0), found.get("leaks", 0)
    # Exit code 1 also stands for a check that found corruptions and then could not go on.
    by_code = {0: CLEAN, 2: CORRUPT, 3: LEAKS}.get(done.returncode, UNCHECKABLE)
    return Judged(
        verdict=CORRUPT if corruptions else by_code,
        corruptions=corruptions,
        leaks=leaks,
        allocated=found.get("allocated-clusters", 0),
        total=found.get("total-clusters", 0),
        end=found.get("image-end-offset", 0),
        says=done.stderr,
    )


# ------------------------------------------------------------------------------ images by real tools


@attrs.frozen
class Recipe:
    """How a real image is made: creation options, then qemu-io commands and "snapshot"s in turn."""

    name: str
    options: str = ""
    size: str = "256k"
    steps: tuple[str, ...] = ("write -P 1 0 40k", "write -P 2 100k 7k")

    def make(self, tool: Tool, path: Path) -> bytes:
        options = ["-o", self.options] if self.options else []
        _run(tool("qemu-img"), "create", "-q", "-f", "qcow2", *options, str(path), self.size)
        for number, step in enumerate(self.steps):
            if step == "snapshot":
                _run(tool("qemu-img"), "snapshot", "-c", f"s{number}", str(path))
            elif step.startswith("bitmap"):
                _run(tool("qemu-img"), "bitmap", *step.split()[1:], str(path), f"b{number}")
            else:
                _run(tool("qemu-io"), "-c", step, str(path))
        return path.read_bytes()


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


SNAPSHOTS = ("write -P 1 0 40k", "snapshot", "write -P 2 10k 20k", "snapshot", "write -P 3 60k 5k")
ZEROS = ("write -P 1 0 64k", "write -z 8k 16k", "write -z -u 40k 8k", "discard 60k 4k", "write -z 128k 64k")
COMPRESSED = tuple(f"write -c -P {n} {n * 4}k 4k" for n in range(1, 9))

RECIPES = (
    *(Recipe(f"v3-clusters-{size}", f"cluster_size={size}") for size in ("512", "1k", "4k", "64k", "2M")),
    *(Recipe(f"v2-clusters-{size}", f"compat=0.10,cluster_size={size}") for size in ("512", "4k", "64k")),
    *(Recipe(f"refcount-bits-{1 << n}", f"refcount_bits={1 << n},cluster_size=1k") for n in range(7)),
    Recipe("empty", steps=()),
    Recipe("empty-512", "cluster_size=512", steps=()),
    Recipe("of-size-0", size="0", steps=()),
    Recipe("lazy-refcounts", "lazy_refcounts=on,cluster_size=1k"),
    Recipe("preallocated", "preallocation=metadata,cluster_size=4k", steps=()),
    Recipe("zero-clusters", "cluster_size=4k", steps=ZEROS),
    Recipe("compressed", "cluster_size=4k", steps=COMPRESSED),
    Recipe("snapshots-v3", "cluster_size=1k", steps=SNAPSHOTS),
    Recipe("snapshots-v2", "compat=0.10,cluster_size=1k", steps=SNAPSHOTS),
    Recipe("snapshots-4-bit", "refcount_bits=4,cluster_size=1k", steps=SNAPSHOTS),
    Recipe("compressed-snapshots", "cluster_size=4k", steps=(*COMPRESSED, "snapshot", "write 4k 9k")),
    Recipe("extended-l2", "extended_l2=on,cluster_size=16k", steps=(*ZEROS, "snapshot", "write 3k 9k")),
    Recipe("bitmaps", "cluster_size=1k", steps=("bitmap --add", "bitmap --add -g 512", "write 0 50k")),
)
recipes = pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)


@recipes
def test_a_real_image_is_judged_as_qemu_does_to_the_last_number(
    recipe: Recipe, real_tool: Tool, tmp_path: Path
) -> None:
    content = recipe.make(real_tool, tmp_path / "image")
    ours, theirs = check(StillFile(content)), judge(real_tool("qemu-img"), tmp_path / "image")
    assert ours.verdict is theirs.verdict is CLEAN
    assert numbers_of(ours) == theirs.numbers


def test_an_overlay_is_judged_without_its_backing(real_tool: Tool, tmp_path: Path) -> None:
    base, overlay = tmp_path / "base.raw", tmp_path / "overlay"
    base.write_bytes(bytes(100_000))
    _run(real_tool("qemu-img"), "create", "-q", "-f", "qcow2", "-b", str(base), "-F", "raw", str(overlay))
    _run(real_tool("qemu-io"), "-c", "write -P 9 1k 70k", str(overlay))
    ours, theirs = check(StillFile(overlay.read_bytes())), judge(real_tool("qemu-img"), overlay)
    assert (ours.verdict, ours.allocated_clusters) == (theirs.verdict, theirs.allocated) == (CLEAN, 2)
    base.unlink()
    assert check(StillFile(overlay.read_bytes())) == ours


# ------------------------------------------------------------------------------- damage by design


@pytest.mark.parametrize("damage", ALL, ids=lambda damage: damage.name)
def test_qemu_says_of_each_damage_what_we_expect(damage: Damage, real_tool: Tool, tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(damage.content)
    ours, theirs = check(StillFile(damage.content)), judge(real_tool("qemu-img"), path)
    assert theirs.verdict is (damage.qemu or damage.verdict)
    if damage.verdict in (CLEAN, LEAKS) and damage.qemu is None:
        assert numbers_of(ours) == theirs.numbers
    assert (damage.qemu is None) == (not damage.why)


# ------------------------------------------------------------------------------- damage by chance


def _number(image: bytes | bytearray, offset: int, size: int = 8) -> int:
    return int.from_bytes(image[offset : offset + size], "big")


def metadata(image: bytes) -> list[tuple[int, int]]:
    """Return ranges of bytes that hold an image's metadata, each where something is in it."""
    bits, l1_entries, l1 = _number(image, 20, 4), _number(image, 36, 4), _number(image, 40)
    table, clusters = _number(image, 48), _number(image, 56, 4)
    tables = [(l1, l1_entries), *_snapshot_tables(image)]
    ranges = [(0, 112), (table, 24), *((start, min(8 * count, 64)) for start, count in tables)]
    blocks = (_number(image, table + 8 * index) for index in range((clusters << bits) // 8))
    ranges += [(block, 64) for block in blocks if block]
    for start, count in tables:
        ranges += _live_l2(image, start, count, 1 << bits)
    if _number(image, 60, 4):
        ranges.append((_number(image, 64), 120))
    return ranges


def _snapshot_tables(image: bytes) -> Iterator[tuple[int, int]]:
    end = _number(image, 64)
    for _ in range(_number(image, 60, 4)):
        l1, entries, name, tag, extra = struct.unpack_from(">QIHH20xI", image, end)
        yield l1, entries
        end = (end + 40 + name + tag + extra + 7) & ~7


def _live_l2(image: bytes, l1: int, entries: int, size: int) -> Iterator[tuple[int, int]]:
    for index in range(entries):
        if l2 := _number(image, l1 + 8 * index) & OFFSETS:
            live = [at for at in range(l2, l2 + size, 8) if _number(image, at)]
            yield from ((at, 16) for at in live[:6])


def ruin(image: bytes, ranges: list[tuple[int, int]], chance: random.Random) -> bytes:
    """Return an image with one or two mutations of its metadata."""
    ruined = bytearray(image)
    for _ in range(chance.choice((1, 1, 1, 2))):
        at = _spot(ranges, chance)
        word = at & ~7
        match chance.choice(("bit", "bit", "byte", "zero", "copy", "shift", "cut")):
            case "bit":
                ruined[at] ^= 1 << chance.randrange(8)
            case "byte":
                ruined[at] = chance.randrange(256)
            case "zero" if word >= 104:
                ruined[word : word + 8] = bytes(8)
            case "copy" if word >= 104:
                other = _spot(ranges[1:], chance) & ~7
                ruined[word : word + 8] = ruined[other : other + 8]
            case "shift" if word >= 104:
                moved = _number(ruined, word) + (
                    chance.choice((-1, 1)) << chance.choice((0, 8, 9, 10, 12, 30))
                )
                ruined[word : word + 8] = (moved % (1 << 64)).to_bytes(8, "big")
            case "cut" if chance.random() < 0.2:
                return bytes(ruined[: chance.randrange(len(ruined))])
            case _:
                ruined[at] ^= 0x80
    return bytes(ruined)


def _spot(ranges: list[tuple[int, int]], chance: random.Random) -> int:
    start, length = chance.choice(ranges)
    return start + chance.randrange(length)


# Where the classes differ: ours, QEMU's, a piece of our first sentence, a piece of QEMU's, and why.
EXCEPTIONS: tuple[tuple[Verdict, Verdict, str, str, str], ...] = (
    (
        UNCHECKABLE,
        CORRUPT,
        "header",
        "",
        "an unreadable header ends our check; QEMU opens and then complains",
    ),
    (UNCHECKABLE, CLEAN, "L1 table", "", "the file ends within the L1 table; QEMU reads zeros there"),
    (UNCHECKABLE, LEAKS, "L1 table", "", "the file ends within the L1 table; QEMU reads zeros there"),
    (UNCHECKABLE, CLEAN, "header_length", "", "the length is not a multiple of 8; QEMU does not mind"),
    (UNCHECKABLE, CLEAN, "backing file name", "", "a name of length 0 or inside the header; QEMU ignores it"),
    (UNCHECKABLE, LEAKS, "backing file name", "", "a name of length 0 or inside the header; QEMU ignores it"),
    (CORRUPT, UNCHECKABLE, "", "snapshot", "QEMU refuses a snapshot table; we say what is wrong with it"),
    (CORRUPT, UNCHECKABLE, "", "Bitmap", "QEMU refuses bitmaps out of bounds; we say what else is wrong"),
    (CORRUPT, UNCHECKABLE, "", "extension", "QEMU refuses an extension; we say what else is wrong"),
    (
        CLEAN,
        UNCHECKABLE,
        "",
        "snapshot table offset",
        "there are no snapshots, so their offset means nothing",
    ),
    (CLEAN, UNCHECKABLE, "", "extension too large", "the length of the extensions' end mark means nothing"),
    (
        LEAKS,
        UNCHECKABLE,
        "",
        "snapshot table offset",
        "there are no snapshots, so their offset means nothing",
    ),
    (CORRUPT, CLEAN, "zero flag", "", "version 2 has no zero flag; reading it marks the image corrupt"),
    (CORRUPT, LEAKS, "zero flag", "", "version 2 has no zero flag; reading it marks the image corrupt"),
    (CORRUPT, CLEAN, "something else uses", "", "data and metadata share a cluster and its refcount agrees"),
)


def explained(ours: CheckReport, theirs: Judged) -> bool:
    """Whether two verdicts agree, or differ for a reason that is listed."""
    first = str(ours.corruptions[0]) if ours.corruptions else ""
    return ours.verdict is theirs.verdict or any(
        (ours.verdict, theirs.verdict) == (mine, qemu) and piece in first and said in theirs.says
        for mine, qemu, piece, said, _ in EXCEPTIONS
    )


ROUNDS = 20


@recipes
def test_a_ruined_image_gets_the_same_verdict_as_from_qemu(
    recipe: Recipe, real_tool: Tool, tmp_path: Path
) -> None:
    image = recipe.make(real_tool, tmp_path / "image")
    ranges, chance = metadata(image), random.Random(recipe.name)
    ranges = [(start, length) for start, length in ranges if 0 < length <= len(image) - start]
    seen: Counter[Verdict] = Counter()
    for _ in range(ROUNDS):
        ruined = ruin(image, ranges, chance)
        (tmp_path / "ruin").write_bytes(ruined)
        ours, theirs = check(StillFile(ruined)), judge(real_tool("qemu-img"), tmp_path / "ruin")
        assert explained(ours, theirs), (ours, theirs)
        seen[theirs.verdict] += 1
        if ours.verdict is theirs.verdict and ours.verdict in (CLEAN, LEAKS):
            assert numbers_of(ours) == theirs.numbers
    assert seen[CORRUPT]
