"""Where a real QEMU works: in memory, in a folder for each process of ours that uses one.

A process that is killed cannot tidy up, so its folder is named after it, and whoever comes next removes those
of processes that are no more.
"""

import atexit
import contextlib
import functools
import os
import shutil
import tempfile
from pathlib import Path


@functools.cache
def own_folder(pid: int) -> Path:
    """Return the folder of this process, *pid*, made and empty."""
    remove_abandoned()
    folder = _place() / f"{_START}{pid}"
    folder.mkdir(mode=0o700)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def remove_abandoned() -> None:
    """Remove the folders of processes that are no more, and what this one has left of an earlier life."""
    for folder in _place().glob(f"{_START}*"):
        pid = folder.name.removeprefix(_START)
        if pid.isdigit() and folder.stat().st_uid == os.getuid() and not _lives(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


_START = "blockops-qemu-"


def _place() -> Path:
    memory = Path("/dev/shm")
    return memory if os.access(memory, os.W_OK) else Path(tempfile.gettempdir())


def _lives(pid: int) -> bool:
    """Whether there is such a process but for this one, that is not just waiting to be buried."""
    with contextlib.suppress(OSError):
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return pid != os.getpid() and state != "Z"
    return False
