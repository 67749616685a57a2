"""The desk: all that a management program may do.

It sends commands over a channel and works on the host's files as `qemu-img` and `rm` would.  What must
survive management's own death stands in its books, a folder with two files that are each replaced as a
whole: the machine configuration (device → image; a restart opens what it names) and the notes.

A program may die between any two steps, and then none of its code runs again: programs therefore catch
`BlockError` and never use `finally` to send or to write.
"""

import errno
import json
import posixpath
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

import attrs

from blockops.errors import BlockError, HostError, InvalidRequest
from blockops.graph.formats import NewImage, Opening, backing_of, create_image, open_node, resolve_backing
from blockops.graph.graph import Graph
from blockops.graph.node import ImageNode
from blockops.graph.status import holds
from blockops.host.api import HostFolder, read_exactly, write_fully
from blockops.management.wish import ImageRef
from blockops.qcow2.image import Qcow2Image
from blockops.steps import Phase, Step, Steps

CHUNK = 64 * 1024
"""How much `Desk.copy` copies and `Desk.alike` compares in one step, in bytes."""

# As `qemu-img info -U`: the hypervisor holds the locks.
_LOOKING = Opening(writable=False, lock=False)


@attrs.frozen
class Replied:
    """The hypervisor answered: *value* where *ok*, else the error's class, description and data."""

    ok: bool
    value: object = None
    error_class: str | None = None
    desc: str | None = None
    data: Mapping[str, object] | None = None

    @classmethod
    def from_reply(cls, reply: Mapping[str, Any]) -> "Replied":
        """Return what a QMP reply says."""
        if "error" not in reply:
            return cls(True, reply["return"])
        error = reply["error"]
        return cls(False, None, error["class"], error["desc"], error.get("data"))

    def __str__(self) -> str:
        """The answer as a timeline tells it."""
        return "ok" if self.ok else f"{self.error_class}: {self.desc}"


@attrs.frozen
class Lost:
    """No answer will come: whether the command had an effect is unknown."""

    def __str__(self) -> str:
        """What a timeline tells instead of an answer."""
        return "no answer"


Answer: TypeAlias = Replied | Lost
Channel: TypeAlias = Callable[[str, Mapping[str, object]], Steps[Answer]]
"""Sends one command with its arguments and waits for the answer."""


@attrs.define(eq=False)
class Refused(BlockError):
    """The hypervisor answered with an error."""

    command: str
    answer: Replied

    @property
    def message(self) -> str:
        return f"{self.command}: {self.answer.desc}"


@attrs.define(eq=False)
class NoAnswer(BlockError):
    """No answer came: the outcome of the command is unknown."""

    command: str

    @property
    def message(self) -> str:
        return f"{self.command}: no answer"


def expected(answer: Answer, command: str) -> object:
    """Return the value of the answer to *command*; raises `Refused` or `NoAnswer`."""
    match answer:
        case Replied(ok=True, value=value):
            return value
        case Replied():
            raise Refused(command, answer)
        case Lost():
            raise NoAnswer(command)


@attrs.define(eq=False)
class GaveUp(BlockError):
    """Management has ended its attempt; *outcome* says what it believes to hold now."""

    outcome: str
    cause: BlockError | None = None

    @property
    def message(self) -> str:
        return f"{self.outcome} (because: {self.cause})" if self.cause else self.outcome


@attrs.frozen
class Info:
    """What an image's header says, the backing's name resolved (`qemu-img info`).

    *size* and *cluster_size* in bytes; a raw image is treated as if it had QEMU's default clusters.
    """

    path: str
    format: str
    size: int
    backing: str | None
    backing_format: str | None
    cluster_size: int


@attrs.define(eq=False)
class Desk:
    """A manager's hands: *host*'s files, *channel* to the hypervisor, *books* the folder of its own.

    The books are read once: nobody else writes to them, and a manager remembers.  *volumes* are names
    that the storage has given to management for its new images: they are there before and after.
    """

    host: HostFolder
    channel: Channel
    books: str = "management"
    volumes: frozenset[str] = frozenset()
    _known: dict[str, Any] = attrs.field(factory=dict, init=False)

    def execute(self, command: str, **arguments: object) -> Steps[Answer]:
        """Send *command* and return the answer; underscores in argument names become dashes."""
        named = {name.replace("_", "-"): value for name, value in arguments.items()}
        answer = yield from self.channel(command, named)
        yield Step(Phase.REPLY, command)
        return answer

    def must(self, command: str, **arguments: object) -> Steps[object]:
        """Send *command* and return its value; raises `Refused` or `NoAnswer`."""
        return expected((yield from self.execute(command, **arguments)), command)

    def create_image(self, new: NewImage) -> Steps[None]:
        """Create an image, durable with its name; an error may leave a partial file."""
        ours = self.host.resolve(new.filename) in self.volumes
        create_image(self.host, attrs.evolve(new, replace=ours), durable=True)
        self.host.sync(posixpath.dirname(self.host.resolve(new.filename)))
        yield Step(Phase.CREATE, new.filename)

    def copy(self, source: ImageRef, target: ImageRef) -> Steps[None]:
        """Make *target* a new image, without backing, that reads as *source* with all below it does.

        It is durable afterwards.  An error leaves a partial file.
        """
        graph = Graph()
        try:
            reader = open_node(graph, self.host, source.path, source.format, _LOOKING)
            new = NewImage(
                target.path, target.format, reader.size, cluster_size=_cluster_size(reader) or CHUNK
            )
            yield from self.create_image(new)
            writer = open_node(graph, self.host, target.path, target.format, Opening(lock=False))
            yield from _copy_content(reader, writer)
        finally:
            for node in graph.open_nodes():
                node.abandon()

    def delete(self, path: str) -> Steps[None]:
        """Remove a file; a volume is given back as it is."""
        if self.host.resolve(path) not in self.volumes:
            self.host.unlink(path)
        yield Step(Phase.UNLINK, path)

    def exists(self, path: str) -> Steps[bool]:
        """Return whether a name is taken; a volume that was given to management never is."""
        found = self.host.exists(path) and self.host.resolve(path) not in self.volumes
        yield Step(Phase.CHECK, path)
        return found

    def inspect(self, path: str, format: str | None = None) -> Steps[Info]:
        """Return what the image's header says; probed where *format* is None."""
        graph = Graph()
        node = open_node(graph, self.host, path, format, attrs.evolve(_LOOKING, backing=False))
        info = _info(node)
        node.abandon()
        yield Step(Phase.CHECK, path)
        return info

    def is_blank(self, image: ImageRef) -> Steps[bool]:
        """Return whether an image holds nothing of its own, so that it reads as its backing does."""
        graph = Graph()
        how = attrs.evolve(_LOOKING, backing=False)
        node = open_node(graph, self.host, image.path, image.format, how)
        blank = not holds(node, 0, node.size)
        node.abandon()
        yield Step(Phase.CHECK, image.path)
        return blank

    def alike(self, one: ImageRef, two: ImageRef) -> Steps[bool]:
        """Return whether two images, each with all below it, read the same; False where one cannot be read.

        It reads both until they differ, as `cmp` would (`qemu-img compare` came a year later).
        """
        graph = Graph()
        try:
            readers = [
                open_node(graph, self.host, image.path, image.format, _LOOKING) for image in (one, two)
            ]
            alike = yield from _same_content(*readers)
        except BlockError:
            alike = False
        finally:
            for node in graph.open_nodes():
                node.abandon()
        yield Step(Phase.CHECK, two.path)
        return alike

    def configure(self, images: Mapping[str, ImageRef]) -> Steps[None]:
        """Record durably which image each of these devices is to start with; the others stay as they are.

        What is recorded already is not written again.
        """
        recorded = self.configuration()
        both = {**recorded, **images}
        if both != recorded:
            self._replace("machine.json", {device: attrs.asdict(image) for device, image in both.items()})
        yield Step(Phase.NOTE, "configuration")

    def configuration(self) -> dict[str, ImageRef]:
        """Return the durable machine configuration, as whoever starts a machine reads it; empty at first."""
        written = self._read("machine.json", {})
        return {device: ImageRef(**image) for device, image in written.items()}

    def note(self, kind: str, **facts: object) -> Steps[None]:
        """Add a note, durably; *facts* must fit into JSON."""
        notes = yield from self.notes()
        self._replace("notes.json", [*notes, {"kind": kind, **facts}])
        yield Step(Phase.NOTE, kind)

    def notes(self) -> Steps[list[dict[str, Any]]]:
        """Return all notes, oldest first, as they were given with their kind."""
        written: list[dict[str, Any]] = self._read("notes.json", [])
        yield Step(Phase.CHECK, "notes")
        return list(written)

    def _replace(self, name: str, content: object) -> None:
        """Write to a temporary file, flush, rename, sync the folder: all of it or nothing is seen.

        What the file says is known until the renaming is tried: only from then on it may say something else.
        """
        path = posixpath.join(self.books, name)
        file = self.host.create(f"{path}.new", replace=True)
        try:
            write_fully(file, 0, json.dumps(content).encode())
            file.flush()
        finally:
            file.close()
        self._known.pop(name, None)
        self.host.rename(f"{path}.new", path)
        self.host.sync(self.books)
        self._known[name] = content

    def _read(self, name: str, default: Any) -> Any:
        if name not in self._known:
            self._known[name] = self._read_file(name, default)
        return self._known[name]

    def _read_file(self, name: str, default: Any) -> Any:
        path = posixpath.join(self.books, name)
        try:
            file = self.host.open(path, writable=False)
        except HostError as error:
            if error.code == errno.ENOENT:
                return default
            raise
        try:
            return json.loads(read_exactly(file, 0, file.size()))
        except ValueError as error:
            raise InvalidRequest(self.host.resolve(path), f"not JSON: {error}") from error
        finally:
            file.close()


def _copy_content(reader: ImageNode, writer: ImageNode) -> Steps[None]:
    """Copy what is not zero: a new image reads as zeroes."""
    for offset in range(0, reader.size, CHUNK):
        data = reader.read(offset, min(CHUNK, reader.size - offset))
        if data.count(0) < len(data):
            writer.write(offset, data)
        yield Step(Phase.COPY, writer.path)
    writer.flush()
    yield Step(Phase.FLUSH, writer.path)


def _same_content(one: ImageNode, two: ImageNode) -> Steps[bool]:
    """Return whether two images read the same; what their headers call their size is never held in memory."""
    if one.size != two.size:
        return False
    for offset in range(0, one.size, CHUNK):
        length = min(CHUNK, one.size - offset)
        if one.read(offset, length) != two.read(offset, length):
            return False
        yield Step(Phase.CHECK, two.path)
    return True


def _info(node: ImageNode) -> Info:
    backing, format = backing_of(node) or (None, None)
    return Info(
        path=node.path,
        format=node.format,
        size=node.size,
        backing=None if backing is None else resolve_backing(node.path, backing),
        backing_format=format,
        cluster_size=_cluster_size(node),
    )


def _cluster_size(node: ImageNode) -> int:
    return node.image.header.geometry.cluster_size if isinstance(node.image, Qcow2Image) else CHUNK


class Connection(Protocol):
    """What a channel within one process needs of the server: `blockops.qmp.dispatch.Connection`."""

    def execute(self, message: object) -> Steps[dict[str, Any]]: ...


def local_channel(connection: Connection) -> Channel:
    """Return a channel to a server in this process, over which nothing is ever lost."""

    def send(command: str, arguments: Mapping[str, object]) -> Steps[Answer]:
        reply = yield from connection.execute({"execute": command, "arguments": arguments})
        return Replied.from_reply(reply)

    return send
