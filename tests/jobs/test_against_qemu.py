"""The same mirror in QEMU's own storage daemon: its events, its states, and what is in the target.

Ours is given the same images and asked the same.  A job that is to be caught before it is ready is slowed
down there (`speed`), and not stepped here.
"""

import itertools
import json
import shutil
import subprocess
from collections.abc import Callable, Generator
from pathlib import Path
from typing import IO, Any

import attrs
import pytest

from blockops.commands.profile import Mode, Profile
from blockops.errors import CommandError
from blockops.host.posix import PosixFolder
from blockops.jobs.mirror import Sync
from blockops.jobs.state import TABLE
from blockops.machine import Machine
from proposals.merged_transaction import MergedTransaction

Tool = Callable[[str], str]
Asked = tuple[str, dict[str, Any]]

SCRIPTS: dict[str, list[Asked]] = {
    "completed": [("ready", {}), ("block-job-complete", {})],
    "cancelled at ready": [("ready", {}), ("block-job-cancel", {})],
    "cancelled by force": [("ready", {}), ("block-job-cancel", {"force": True})],
    "cancelled before ready": [("block-job-cancel", {})],
    "completed before ready": [("block-job-complete", {}), ("block-job-cancel", {})],
    "completed while it rests": [
        ("ready", {}),
        ("block-job-pause", {}),
        ("standby", {}),
        ("block-job-complete", {}),
        ("block-job-cancel", {"force": True}),
    ],
}


@attrs.define
class Course:
    """What came of a script: which commands were refused, the events of the job, and the states it took."""

    refused: list[str] = attrs.field(factory=list)
    events: list[str] = attrs.field(factory=list)
    states: list[str] = attrs.field(factory=list)


def images(folder: Path, tool: Tool) -> None:
    """Make a source with something in it, and a target."""
    folder.mkdir()
    for name in ("source", "target"):
        subprocess.run([tool("qemu-img"), "create", "-q", "-f", "qcow2", folder / name, "1M"], check=True)
    for place in ("0 64k", "300k 100k", "1020k 4k"):
        write = [tool("qemu-io"), "-c", f"write -P 7 {place}", str(folder / "source")]
        subprocess.run(write, check=True, stdout=subprocess.DEVNULL)


@attrs.define
class Daemon:
    """A running storage daemon with both images, and what it has said."""

    process: "subprocess.Popen[str]"
    said: list[dict[str, Any]] = attrs.field(factory=list)

    def hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the daemon has gone"
        self.said.append(json.loads(line))
        return self.said[-1]

    def ask(self, command: str, arguments: dict[str, Any]) -> dict[str, Any]:
        text = json.dumps({"execute": command, "arguments": arguments})
        pipe: IO[str] | None = self.process.stdin
        assert pipe is not None
        pipe.write(text + "\n")
        pipe.flush()
        return next(one for one in iter(self.hear, None) if "return" in one or "error" in one)

    def wait(self, event: str, **data: str) -> None:
        """Wait for an event, unless it has come already."""
        heard = itertools.chain(tuple(self.said), iter(self.hear, None))
        next(one for one in heard if one.get("event") == event and data.items() <= one["data"].items())


def daemon(folder: Path, tool: Tool) -> Generator[Daemon, None, None]:
    nodes = [
        argument
        for name in ("source", "target")
        for argument in (
            "--blockdev",
            f"driver=qcow2,node-name={name},file.driver=file,file.filename={folder / name}",
        )
    ]
    command = [tool("qemu-storage-daemon"), *nodes, "--chardev", "stdio,id=m", "--monitor", "chardev=m"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Daemon(process)
        finally:
            process.terminate()
            process.wait()


def in_qemu(folder: Path, script: list[Asked], tool: Tool) -> Course:
    course = Course()
    running = daemon(folder, tool)
    qemu = next(running)
    qemu.hear()
    qemu.ask("qmp_capabilities", {})
    slow = {} if script[0][0] == "ready" else {"speed": 1}
    mirror = {"job-id": "d0", "device": "source", "target": "target", "sync": "full", **slow}
    assert "return" in qemu.ask("blockdev-mirror", mirror)
    for command, arguments in script:
        if command == "ready":
            qemu.wait("BLOCK_JOB_READY")
        elif command == "standby":
            qemu.wait("JOB_STATUS_CHANGE", status="standby")
        elif "error" in qemu.ask(command, {"device": "d0", **arguments}):
            course.refused.append(command)
    qemu.wait("JOB_STATUS_CHANGE", status="null")
    heard = [one for one in qemu.said if "event" in one]
    course.events = [one["event"] for one in heard if one["event"].startswith("BLOCK_JOB_")]
    course.states = [one["data"]["status"] for one in heard if one["event"] == "JOB_STATUS_CHANGE"]
    running.close()
    return course


def in_ours(folder: Path, script: list[Asked]) -> Course:
    course = Course()
    machine = Machine(PosixFolder(folder))
    machine.attach("d0", "source", "qcow2")
    design = MergedTransaction(machine, Profile.HARDENED)
    design.mirror("d0", "target", Sync.FULL, mode=Mode.EXISTING)
    for command, arguments in script:
        if command in ("ready", "standby"):
            design.run_jobs()
            continue
        try:
            getattr(design, command.removeprefix("block-job-"))("d0", **arguments)
        except CommandError:
            course.refused.append(command)
    design.run_jobs()
    course.events = [event.name for event in design.commands.events]
    machine.close()
    return course


@pytest.mark.real_tool("qemu-img", "qemu-io", "qemu-storage-daemon")
@pytest.mark.parametrize("name", SCRIPTS)
def test_a_mirror_takes_the_course_that_it_takes_in_qemu(tmp_path: Path, real_tool: Tool, name: str) -> None:
    images(tmp_path / "qemu", real_tool)
    shutil.copytree(tmp_path / "qemu", tmp_path / "ours")
    theirs = in_qemu(tmp_path / "qemu", SCRIPTS[name], real_tool)
    ours = in_ours(tmp_path / "ours", SCRIPTS[name])
    assert (ours.refused, ours.events) == (theirs.refused, theirs.events)
    alone = [state for state in theirs.states if state not in ("waiting", "pending")]
    legal = {(before.value, then.value) for (before, _), then in TABLE.items()}
    assert set(itertools.pairwise(alone)) <= legal
    if "BLOCK_JOB_READY" in ours.events:
        for side in ("qemu", "ours"):
            equal(tmp_path / side, real_tool)


def equal(folder: Path, tool: Tool) -> None:
    """Let the real tool find the target clean, and equal to the source."""
    subprocess.run([tool("qemu-img"), "check", "-q", folder / "target"], check=True)
    subprocess.run([tool("qemu-img"), "compare", "-q", folder / "source", folder / "target"], check=True)
