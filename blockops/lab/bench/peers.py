"""What the lab's speed is held against, measured in the same minute on the same core.

python calls   calls of a function that does nothing: how fast this machine's Python is
qemu           a real QEMU that is kept running: overlays for all devices in one transaction over QMP,
               and gone again; no guest writes, nothing breaks and nobody judges
qemu-img       the same images made by `qemu-img create`, a process for each device
"""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

from blockops.graph.formats import NewImage, create_image
from blockops.host.posix import PosixFolder
from blockops.lab.bench.figures import Rate
from blockops.lab.bench.speed import DEVICES, Stopwatch

_SIZE = 16 * 1024
QEMU = "qemu-system-x86_64"


def python_calls(seconds: float) -> Rate:
    """Call a function that does nothing, ten thousand times between two looks at the clock."""
    rate, watch = Rate("python calls"), Stopwatch(seconds)
    while not rate.run or not watch.due:
        for _ in range(10_000):
            _nothing()
        rate.run, rate.seconds = rate.run + 10_000, watch.seconds
    return rate


def _nothing() -> None:
    pass


def qemu_img(seconds: float) -> Rate | None:
    """Make overlays by `qemu-img create`; None where that is not installed or fails."""
    tool = shutil.which("qemu-img")
    if tool is None:
        return None
    with _images() as folder:
        rate, watch = Rate("qemu-img"), Stopwatch(seconds)
        while not rate.run or not watch.due:
            for number in range(DEVICES):
                base, overlay = folder / f"d{number}.qcow2", folder / f"s{number}.qcow2"
                command = [tool, "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", str(base), str(overlay)]
                if subprocess.run(command, capture_output=True, check=False).returncode:
                    return None
            rate.run, rate.seconds = rate.run + 1, watch.elapsed
        return rate


def qemu(seconds: float) -> Rate | None:
    """Snapshot all devices of one real QEMU again and again; None where that is not installed or fails."""
    tool = shutil.which(QEMU)
    if tool is None:
        return None
    with _images() as folder, running(tool, DEVICES) as monitor:
        try:
            monitor.begin(folder)
            rate, watch = Rate("qemu"), Stopwatch(seconds)
            while not rate.run or not watch.due:
                monitor.snapshot(folder)
                rate.run, rate.seconds = rate.run + 1, watch.elapsed
        except (OSError, ValueError):
            return None
        return rate


@contextmanager
def _images() -> Iterator[Path]:
    memory = Path("/dev/shm")  # as the lab's own files are in memory
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as path:
        for number in range(DEVICES):
            create_image(PosixFolder(path), NewImage(f"d{number}.qcow2", "qcow2", _SIZE), durable=False)
        yield Path(path)


@contextmanager
def running(tool: str, devices: int) -> Iterator["Monitor"]:
    """Yield the monitor of a new QEMU, which ends with the block."""
    command = [tool, "-machine", "none", "-nodefaults", "-display", "none", "-qmp", "stdio"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            yield Monitor(process, devices)
        finally:
            process.kill()


@attrs.frozen
class Monitor:
    """QMP over a program's standard input and output; the images are d0.qcow2, d1.qcow2 and so on."""

    process: "subprocess.Popen[str]"
    devices: int

    def begin(self, folder: Path) -> None:
        """Shake hands, and open the images; raises ValueError where QEMU refuses, or has ended."""
        self._heard("QMP")
        self._send("qmp_capabilities", {})
        for number in range(self.devices):
            file = {"driver": "file", "filename": str(folder / f"d{number}.qcow2")}
            self._send("blockdev-add", {"driver": "qcow2", "node-name": f"d{number}", "file": file})

    def snapshot(self, folder: Path) -> None:
        """Put a new overlay above every image in one transaction; as nobody shows them, QEMU closes them."""
        actions = [
            {
                "type": "blockdev-snapshot-sync",
                "data": {
                    "node-name": f"d{number}",
                    "snapshot-file": str(folder / f"s{number}.qcow2"),
                    "snapshot-node-name": f"s{number}",
                    "format": "qcow2",
                },
            }
            for number in range(self.devices)
        ]
        self._send("transaction", {"actions": actions})

    def _send(self, command: str, arguments: dict[str, object]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.process.stdin.flush()
        self._heard("return")

    def _heard(self, key: str) -> None:
        """Read up to the answer, past events and plain words; raises ValueError where it is none."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            message = json.loads(line) if line.startswith("{") else {"event": line}
            if key in message:
                return
            if "event" not in message:
                raise ValueError(line)
        raise ValueError("QEMU has ended")
