"""The record of a transaction: a file that management names, and that the hypervisor writes.

    i {"id": "switch", "images": {"d0": {"path": …, "format": …}}, "made": […]}
    │
    └ the outcome: "i" intended, "d" done, "a" aborted

It is durable, with its name, before anything else is touched.  The outcome is one byte that is there
already: to overwrite it takes no room, and one byte is not torn.  While it is overwritten the guest is
held still and old and new images read the same, so whichever of the two a crash leaves is right.
Without a record, or without "d" in it, nothing happened: *images* are live if and only if it says "d".
"""

import contextlib
import enum
import json
import posixpath
from collections.abc import Iterator, Mapping

import attrs
import cattrs

from blockops.errors import BlockError, CommandError, HostError, Leftover, because
from blockops.host.api import HostFile, HostFolder, read_exactly, write_fully
from blockops.management.wish import ImageRef
from blockops.steps import Phase, Step, Steps


class Outcome(enum.Enum):
    """The first byte of a record."""

    INTENDED = b"i"
    DONE = b"d"
    ABORTED = b"a"


@attrs.frozen
class Record:
    """What a record says: *images* that devices show once it is done, files *made* only for it."""

    id: str
    images: Mapping[str, ImageRef] = attrs.field(factory=dict)
    made: tuple[str, ...] = ()
    outcome: Outcome = Outcome.INTENDED


@attrs.define(eq=False)
class RecordFailed(CommandError):
    """The record could not be read or written; nothing that it is about has changed."""

    filename: str
    cause: BlockError | None = None

    @property
    def message(self) -> str:
        return f"Could not keep the record '{self.filename}'{because(self.cause)}"


@attrs.frozen
class LeftRecord(Leftover):
    """A record that should have gone: whoever reads it will find that nothing was done."""

    def __str__(self) -> str:
        return f"could not remove the record '{self.filename}'{because(self.cause)}"


def read_record(host: HostFolder, path: str) -> Record | None:
    """Return what the record at *path* says, None where there is none; raises `HostError`.

    One that was never completely written was never relied on: it is intended, and about nothing.
    """
    if not host.exists(path):
        return None
    file = host.open(path, writable=False)
    try:
        return _decoded(read_exactly(file, 0, file.size()))
    finally:
        file.close()


def _decoded(written: bytes) -> Record:
    try:
        record = cattrs.structure(json.loads(written[1:]), Record)
        return attrs.evolve(record, outcome=Outcome(written[:1]))
    except (ValueError, cattrs.BaseValidationError):
        return Record("")


def _encoded(record: Record) -> bytes:
    images = {device: attrs.asdict(image) for device, image in record.images.items()}
    rest = {"id": record.id, "images": images, "made": list(record.made)}
    return record.outcome.value + b" " + json.dumps(rest).encode() + b"\n"


@attrs.define(eq=False)
class Intent:
    """An action that changes no device: its preparing writes the record, aborting removes it.

    It comes first of all, so that it is prepared first and aborted last.
    """

    host: HostFolder
    filename: str
    record: Record
    device: str = ""
    file: HostFile | None = None

    def prepare(self) -> Steps[None]:
        try:
            with self.failing():
                self.file = self.host.create(self.filename, replace=False)
                write_fully(self.file, 0, _encoded(self.record))
                self.file.flush()
                self._sync_folder()
        except RecordFailed as error:
            error.leftovers += yield from self.abort()
            raise
        yield Step(Phase.NOTE, self.filename)

    def secure(self) -> Steps[None]:
        yield from ()

    def commit(self) -> Steps[None]:
        yield from ()

    def revert(self) -> Steps[None]:
        yield from ()

    def abort(self) -> Steps[tuple[Leftover, ...]]:
        """Remove the record; return it where that failed."""
        self.finish()
        try:
            if self.host.exists(self.filename):
                self.host.unlink(self.filename)
                self._sync_folder()
        except HostError as error:
            return (LeftRecord(self.filename, "", error),)
        yield Step(Phase.UNLINK, self.filename)
        return ()

    def finish(self) -> None:
        """Close the record; what counts in it is durable already."""
        if self.file is not None:
            with contextlib.suppress(BlockError):
                self.file.close()
            self.file = None

    @contextlib.contextmanager
    def failing(self) -> Iterator[None]:
        """Turn every error of the host inside into a `RecordFailed`."""
        try:
            yield
        except HostError as error:
            raise RecordFailed(self.filename, error) from error

    def mark(self, outcome: Outcome) -> None:
        """Make *outcome* durable; raises `HostError`, and then either may be on the disk."""
        assert self.file is not None, "an outcome before the intent"
        write_fully(self.file, 0, outcome.value)
        self.file.flush()

    def _sync_folder(self) -> None:
        self.host.sync(posixpath.dirname(self.host.resolve(self.filename)))


@attrs.define(eq=False)
class Decision:
    """An action that changes no device: securing it records that the transaction is done.

    It comes last of all, so that everything else is secured before it, and it is the first to be aborted.
    Nothing behind it can fail: what remains are switches in memory.
    """

    intent: Intent
    device: str = ""
    _written: bool = False

    def prepare(self) -> Steps[None]:
        yield from ()

    def secure(self) -> Steps[None]:
        self._written = True
        with self.intent.failing():
            self.intent.mark(Outcome.DONE)
        yield Step(Phase.NOTE, f"{self.intent.filename}: done")

    def commit(self) -> Steps[None]:
        yield Step(Phase.PIVOT, "all devices")

    def revert(self) -> Steps[None]:
        yield from ()

    def abort(self) -> Steps[tuple[Leftover, ...]]:
        """Take the outcome back before any file goes that it speaks of.

        Where that fails, too, the record's removal is still to come: without a record nothing was done.
        """
        if self._written:
            with contextlib.suppress(HostError):
                self.intent.mark(Outcome.ABORTED)
            yield Step(Phase.NOTE, f"{self.intent.filename}: aborted")
        return ()

    def finish(self) -> None:
        """Nothing of its own to let go of."""
