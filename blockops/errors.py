"""What a caller sees when something fails, on two axes.

Whose fault it was (`Blame`: the caller, the image, the host) and what is now true (`Effect`: nothing
happened, it happened all the same, nobody can know).  Every error is a class with typed fields and one
message; `cause` chains to the error underneath, so the top of the chain says what failed and its
bottom says why.
"""

import enum
import os
from typing import ClassVar

import attrs


class Blame(enum.Enum):
    """Whose fault an error was."""

    CALLER = "caller"
    IMAGE = "image"
    HOST = "host"


class Effect(enum.Enum):
    """What holds after an error: nothing was done, all of it was, or part of it may have been."""

    NONE = "none"
    APPLIED = "applied"
    UNKNOWN = "unknown"


class BlockError(Exception):
    """Any error of this library; subclasses carry typed fields and one message."""

    blame: ClassVar[Blame] = Blame.CALLER
    effect: Effect = Effect.NONE

    @property
    def message(self) -> str:
        """One sentence that names the culprit."""
        return type(self).__name__

    def __str__(self) -> str:
        return self.message

    @property
    def root(self) -> "BlockError":
        """The error at the bottom of the chain of causes."""
        cause = getattr(self, "cause", None)
        return cause.root if isinstance(cause, BlockError) else self


@attrs.define(eq=False)
class HostError(BlockError):
    """The host refused or failed an operation on a file or folder.

    *operation* is what was tried ("write", "open", …), *code* an errno, *offset* in bytes where the
    operation has one.
    """

    blame: ClassVar[Blame] = Blame.HOST
    operation: str
    path: str
    code: int
    offset: int | None = None
    effect: Effect = Effect.NONE

    @property
    def message(self) -> str:
        where = "" if self.offset is None else f" at offset {self.offset}"
        return f"{self.path}: {self.operation}{where}: {os.strerror(self.code)}"


@attrs.define(eq=False)
class ImageError(BlockError):
    """An image file is not what its format says it must be.

    *structure* names the part of the format, *offset* its place in the file in bytes.
    """

    blame: ClassVar[Blame] = Blame.IMAGE
    path: str
    structure: str
    offset: int | None
    problem: str

    @property
    def message(self) -> str:
        where = "" if self.offset is None else f" at offset {self.offset}"
        return f"{self.path}: {self.structure}{where}: {self.problem}"


@attrs.define(eq=False)
class UnsupportedFeature(BlockError):
    """An image is sound but uses a feature that is not supported here."""

    blame: ClassVar[Blame] = Blame.IMAGE
    path: str
    feature: str

    @property
    def message(self) -> str:
        return f"{self.path}: {self.feature} is not supported"


@attrs.define(eq=False)
class InvalidRequest(BlockError):
    """A caller asked for something that cannot be: a range outside the device, a write to a read-only one."""

    subject: str
    problem: str

    @property
    def message(self) -> str:
        return f"{self.subject}: {self.problem}"


@attrs.frozen
class Leftover:
    """A file that a command made for *device*, should have removed again, and could not remove."""

    filename: str
    device: str
    cause: BlockError

    def __str__(self) -> str:
        return f"could not remove '{self.filename}' of device '{self.device}'{because(self.cause)}"


@attrs.define(eq=False)
class CommandError(BlockError):
    """A command failed; the subclasses are the error classes of QMP in 2012."""

    leftovers: tuple[Leftover, ...] = attrs.field(default=(), kw_only=True)

    def __str__(self) -> str:
        return "; ".join([self.message, *map(str, self.leftovers)])


@attrs.define(eq=False)
class DeviceNotFound(CommandError):
    """No device has this name."""

    device: str

    @property
    def message(self) -> str:
        return f"Device '{self.device}' not found"


@attrs.define(eq=False)
class DeviceInUse(CommandError):
    """The device is busy: with a job, or enrolled in somebody's transaction."""

    device: str
    user: str = "another operation"

    @property
    def message(self) -> str:
        return f"Device '{self.device}' is in use by {self.user}"


@attrs.define(eq=False)
class DeviceHasNoMedium(CommandError):
    """The device exists but has no image."""

    device: str

    @property
    def message(self) -> str:
        return f"Device '{self.device}' has no medium"


@attrs.define(eq=False)
class DeviceNotActive(CommandError):
    """No job is at work on the device."""

    device: str

    @property
    def message(self) -> str:
        return f"Device '{self.device}' has no active job"


@attrs.define(eq=False)
class InvalidBlockFormat(CommandError):
    """No image format has this name."""

    name: str
    device: str | None = None

    @property
    def message(self) -> str:
        return f"Invalid block format '{self.name}'"


@attrs.define(eq=False)
class OpenFileFailed(CommandError):
    """An image could not be created or opened: *filename* is the one, *cause* says why."""

    filename: str
    device: str | None = None
    cause: BlockError | None = None

    @property
    def message(self) -> str:
        device = "" if self.device is None else f" for device '{self.device}'"
        return f"Could not open '{self.filename}'{device}{because(self.cause)}"


@attrs.define(eq=False)
class DeviceIOError(CommandError):
    """Reading, writing or flushing a device's image failed (QMP's `IOError`)."""

    device: str
    cause: BlockError | None = None

    @property
    def message(self) -> str:
        return f"An I/O error has occurred on device '{self.device}'{because(self.cause)}"


@attrs.define(eq=False)
class UndefinedError(CommandError):
    """A command cannot be carried out in this state; *problem* says which rule forbids it."""

    problem: str

    @property
    def message(self) -> str:
        return self.problem


def because(cause: BlockError | None) -> str:
    """Return ": " and the root of *cause*, or nothing where there is no cause."""
    return "" if cause is None else f": {cause.root.message}"
