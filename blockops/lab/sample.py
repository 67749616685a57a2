"""A second opinion: the real `qemu-img check` on images of a random sample of cases.

The sample is drawn with the comparison's seed; real images that were given are left out.  Images go
out as real files into a temporary folder; each is checked without its backing, whose name belongs to
the lab's virtual root.
"""

import functools
import json
import random
import shutil
import subprocess
import tempfile

import attrs

from blockops.host.memory import MemoryDisk
from blockops.host.posix import PosixFolder
from blockops.lab.case import Case
from blockops.lab.exploring import record_once, space
from blockops.lab.faults.fault import Fault
from blockops.lab.images import image_facts
from blockops.lab.judging import evidence_of
from blockops.lab.laws.house import reachable
from blockops.lab.parts import Part
from blockops.lab.results import ToolSample
from blockops.lab.settings import Settings

IMAGES = 220
"""How many different images the real checker looks at, where that many turn up."""

DRAWS = 2000
"""How many cases are drawn at most to find them; no more than were judged."""

_LISTED = 16
"""Of how many settings the faults are remembered: to list the power cuts of one takes seconds."""

_CORRUPT = 2


def sample_images(settings: Settings, parts: list[Part]) -> ToolSample:
    """Check a sample of the images that the cases of *parts* leave behind; nothing without `qemu-img`."""
    tool = shutil.which("qemu-img")
    asked = [part for part in parts if not part.depth.besides and part.tally.cases and _is_ours(part)]
    if tool is None or not asked:
        return ToolSample()
    checked: dict[bytes, bool] = {}
    chance = random.Random(settings.seed)

    @functools.lru_cache(_LISTED)
    def faults_of(number: int) -> tuple[Fault, ...]:
        case = asked[number].case
        return space(case, record_once(case), settings.groups, complete=True).faults

    for _ in range(min(DRAWS, sum(part.tally.cases for part in asked))):
        if len(checked) >= IMAGES:
            break
        number = chance.choice(range(len(asked)))
        case = attrs.evolve(asked[number].case, fault=chance.choice(faults_of(number)))
        for path, disk in _images(case):
            digest = disk.content("read", path).digest()
            if digest not in checked:
                checked[digest] = _is_corrupt(tool, disk, path)
    return ToolSample(len(checked), sum(checked.values()), _version(tool))


def _is_ours(part: Part) -> bool:
    """Whether its images are of our core's making: what a real QEMU makes is its own."""
    return not part.contestant.entry.real


def _images(case: Case) -> list[tuple[str, MemoryDisk]]:
    evidence = evidence_of(case)
    paths = [path for path in reachable(evidence) if path not in evidence.doubled]
    facts = {path: image_facts(evidence.disk, path) for path in paths}
    return [
        (path, evidence.disk)
        for path, found in facts.items()
        if found and found.format == "qcow2" and not evidence.disk.content("read", path).read_only
    ]


def _is_corrupt(tool: str, disk: MemoryDisk, path: str) -> bool:
    with tempfile.TemporaryDirectory(prefix="blockops-") as folder:
        disk.export(path, PosixFolder(folder), "image.qcow2")
        image = {
            "driver": "qcow2",
            "backing": None,
            "file": {"driver": "file", "filename": f"{folder}/image.qcow2"},
        }
        finished = subprocess.run(
            [tool, "check", "-q", f"json:{json.dumps(image)}"], capture_output=True, check=False, timeout=60
        )
    return finished.returncode in (1, _CORRUPT)


def _version(tool: str) -> str:
    printed = subprocess.run([tool, "--version"], capture_output=True, check=False, text=True, timeout=60)
    return printed.stdout.partition("\n")[0].strip()
