"""Others, measured on the same images where they are installed; None where they are not, or cannot do it.

qemu-img bench times QEMU's block layer alone, without the start of its process.  It reads and writes
at a fixed step, one request after the other (depth 1), through threads or io_uring.
"""

import re
import shutil
import subprocess
import time
from pathlib import Path

from blockops.graph.formats import NewImage, create_image
from proposals.bench.site import Site

THREADS = "threads"
IO_URING = "io_uring"
_TOLD = re.compile(r"Run completed in ([\d.]+) seconds")


def reads(name: str, how: str, count: int, length: int, step: int) -> float | None:
    """Read *count* times *length* bytes of an image, each *step* behind the one before."""
    return _bench("-i", how, *_requests(count, length, step), name)


def writes(site: Site, new: NewImage, how: str, count: int, length: int, step: int) -> float | None:
    """Write so to a new image, which is gone afterwards."""
    create_image(site.folder, new, durable=False)
    try:
        return _bench("-w", "-i", how, *_requests(count, length, step), new.filename)
    finally:
        Path(new.filename).unlink()


def _requests(count: int, length: int, step: int) -> tuple[str, ...]:
    return "-c", str(count), "-d", "1", "-s", str(length), "-S", str(step)


def _bench(*arguments: str) -> float | None:
    tool = shutil.which("qemu-img")
    if tool is None:
        return None
    done = subprocess.run(
        [tool, "bench", "-f", "qcow2", *arguments], capture_output=True, text=True, check=False
    )
    found = _TOLD.search(done.stdout)
    return None if done.returncode or found is None else float(found[1])


def creates(base: str, names: list[str]) -> float | None:
    """Create overlays, a process for each."""
    tool = shutil.which("qemu-img")
    if tool is None:
        return None
    begin = time.perf_counter()
    for name in names:
        command = [tool, "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", base, name]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            return None
    return time.perf_counter() - begin
