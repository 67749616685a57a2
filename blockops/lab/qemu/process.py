"""One running QEMU: no machine, no guest, drives by name, each exported by NBD; its monitor on a pipe.

It is used for one case after the other, and started again where it was killed.
"""

import functools
import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from blockops.errors import BlockError
from blockops.host.memory import MemoryDisk
from blockops.lab.hosts import Clock
from blockops.lab.qemu.clock import SharedClock
from blockops.lab.qemu.exports import Export, Gone
from blockops.lab.qemu.folders import own_folder
from blockops.lab.qemu.linked import LinkedDisk
from blockops.management.contestant import Contestant
from blockops.management.wish import ImageRef

PROGRAM = "qemu-system-x86_64"
COMPILER = "cc"


_PACKAGES = {PROGRAM: "qemu-system-x86", COMPILER: "gcc"}


@attrs.define(eq=False)
class NotInstalled(BlockError):
    """What a real QEMU needs to take part is not there."""

    programs: tuple[str, ...]

    @property
    def message(self) -> str:
        packages = " ".join(_PACKAGES[name] for name in self.programs)
        return f"a real QEMU cannot take part without {' and '.join(self.programs)}: apt install {packages}"


def demand_programs(contestants: Iterable[Contestant]) -> None:
    """Raise `NotInstalled` where one of these needs a program that is not there."""
    if any(contestant.entry.real for contestant in contestants):
        absent = tuple(name for name in _PACKAGES if shutil.which(name) is None)
        if absent:
            raise NotInstalled(absent)


def qemu_version() -> str:
    """Return the version of the QEMU that is installed."""
    said = subprocess.run([PROGRAM, "--version"], check=True, capture_output=True, text=True).stdout
    return said.partition("version ")[2].split()[0]


@attrs.frozen
class Message:
    """A command with its arguments, as QMP has them."""

    command: str
    arguments: Mapping[str, object] = attrs.field(factory=dict)


@functools.cache
def library(folder: Path) -> Path:
    """Build into *folder* what is loaded into QEMU."""
    source, built = Path(__file__).with_name("preload.c"), folder / "preload.so"
    command = [COMPILER, "-O2", "-shared", "-fPIC", "-o", str(built), str(source), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    return built


def surroundings(loaded: Path, folder: Path, shared: SharedClock) -> dict[str, str]:
    """Return the environment of a program that *loaded* counts, in what it does below *folder*."""
    more = {
        "LD_PRELOAD": str(loaded),
        "BLOCKOPS_ROOT": str(folder),
        "BLOCKOPS_CLOCK": str(shared.path),
    }
    return {**os.environ, **more}


@attrs.define(eq=False)
class Qemu:
    """The process, the folder with all that it works on, and the *pid* of the process that uses it."""

    folder: Path
    pid: int
    shared: SharedClock
    process: "subprocess.Popen[bytes]"
    events: list[Mapping[str, Any]] = attrs.field(factory=list)
    exports: dict[str, Export] = attrs.field(factory=dict)

    @classmethod
    def start(cls, folder: Path, pid: int) -> "Qemu":
        """Start one in *folder*, which is there and empty or another one's that is no more.

        The compiler builds what is loaded into it.
        """
        shared = SharedClock.create(folder / "clock")
        command = [PROGRAM, "-machine", "none", "-nodefaults", "-display", "none", "-qmp", "stdio"]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=surroundings(library(folder), folder, shared),
        )
        qemu = cls(folder, pid, shared, process)
        qemu._hear("QMP")
        socket = folder / "nbd"
        socket.unlink(missing_ok=True)
        where = {"addr": {"type": "unix", "data": {"path": str(socket)}}}
        qemu.ask(Message("qmp_capabilities"), Message("nbd-server-start", where))
        return qemu

    def begin(self, start: MemoryDisk, images: Mapping[str, ImageRef]) -> LinkedDisk:
        """Show *images*, by device, of the disk *start*; the case before was forgotten."""
        disk = LinkedDisk(start, self.folder)
        said = self.ask(*(_drive(name, image) for name, image in images.items()))
        assert all(answer.strip() == "OK" for answer in said), said
        self.ask(*map(_export, images))
        self.exports = {name: Export.use(self.folder / "nbd", name) for name in images}
        return disk

    def kill(self) -> None:
        """End it abruptly; nothing of it is open any more."""
        for export in self.exports.values():
            export.close()
        self.exports.clear()
        self.process.kill()
        self.process.communicate()
        self.shared.close()

    @property
    def dead(self) -> bool:
        """Whether it is no more."""
        return self.process.poll() is not None

    @contextmanager
    def turn(self, clock: Clock, disk: LinkedDisk) -> Iterator[None]:
        """Let QEMU do something, on *clock*'s count, to *disk*.

        Raises `blockops.lab.hosts.ProcessKilled` where the clock's fault has killed it.
        """
        disk.show_qemu()
        self.shared.hand_over(clock)
        gone = False
        try:
            yield
        except Gone:
            gone = True
            self.process.wait()
        finally:
            done = self.shared.done()
            disk.qemu_has(done)
            self.shared.take_back(clock, done)
            assert not gone, f"QEMU has ended by itself: exit code {self.process.returncode}"

    def execute(self, command: str, arguments: Mapping[str, object]) -> dict[str, Any]:
        """Send a command and return the reply; raises `Gone`."""
        self._say(Message(command, arguments))
        return self._hear("return", "error")

    def ask(self, *messages: Message) -> list[Any]:
        """Send commands of the lab's own at once and return their values; AssertionError where one fails."""
        self._say(*messages)
        replies = [self._hear("return", "error") for _ in messages]
        for message, reply in zip(messages, replies, strict=True):
            assert "return" in reply, f"{message}: {reply}"
        return [reply["return"] for reply in replies]

    def _say(self, *messages: Message) -> None:
        assert self.process.stdin is not None
        lines = [{"execute": one.command, "arguments": one.arguments} for one in messages]
        try:
            self.process.stdin.write("\n".join(map(json.dumps, lines)).encode() + b"\n")
            self.process.stdin.flush()
        except OSError as error:
            raise Gone from error

    def _hear(self, *keys: str) -> dict[str, Any]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if not line.startswith(b"{"):
                continue  # "Formatting '/vm/s0.qcow2', …"
            message: dict[str, Any] = json.loads(line)
            if any(key in message for key in keys):
                return message
            self.events.append(message)
        raise Gone

    def forget(self) -> None:
        """Let go of what the case before has left; AssertionError where QEMU says that it cannot."""
        if self.dead:
            raise Gone
        names = list(self.exports)
        for name in names:
            self.exports.pop(name).close()
        self.ask(*(Message("block-export-del", {"id": f"e-{name}", "mode": "hard"}) for name in names))
        while self.ask(Message("query-block-exports"))[0]:
            pass
        said = self.ask(*(_by_hand(f"drive_del {name}") for name in names))
        assert not any(said), said
        self.events.clear()
        shutil.rmtree(self.folder / "vm", ignore_errors=True)
        (self.folder / "vm").mkdir()


def _by_hand(line: str) -> Message:
    """Return the command that people would type as *line*."""
    return Message("human-monitor-command", {"command-line": line})


def _drive(name: str, image: ImageRef) -> Message:
    where = f"file={image.path},format={image.format},discard=unmap"
    return _by_hand(f"drive_add 0 if=none,id={name},node-name=n-{name},{where}")


def _export(name: str) -> Message:
    how = {"id": f"e-{name}", "type": "nbd", "node-name": f"n-{name}", "name": name, "writable": True}
    return Message("block-export-add", how)


_running: list[Qemu] = []


def fresh() -> Qemu:
    """Return the QEMU of this process without any device, started where none is or none can be used."""
    pid = os.getpid()
    if _running and _running[-1].pid == pid:
        qemu = _running[-1]
        try:
            qemu.forget()
        except (AssertionError, Gone):
            qemu.kill()
        else:
            return qemu
    _running[:] = [Qemu.start(own_folder(pid), pid)]
    _running[-1].forget()
    return _running[-1]
