"""How a long operation lets others run: it is a generator that yields after each thing it did.

A command, a management program and a guest are all `Steps`.  A scheduler may stop between any two
steps, run somebody else, or never come back; called from Python, `run` simply goes to the end.
A step that waits names what it waits for, so that `run` can bring that about itself.
"""

import enum
from collections.abc import Generator
from typing import Protocol, TypeAlias, TypeVar

import attrs

T = TypeVar("T")


class Phase(enum.Enum):
    """What a step has just done."""

    CHECK = "check"
    DRAIN = "drain"
    FLUSH = "flush"
    CREATE = "create"
    OPEN = "open"
    CLOSE = "close"
    PIVOT = "pivot"
    UNLINK = "unlink"
    GATE = "gate"
    SEND = "send"
    REPLY = "reply"
    NOTE = "note"
    COPY = "copy"
    RESIZE = "resize"
    WAIT = "wait"


class Completing(Protocol):
    """Something whose pending work can be pushed on from outside: a device with requests in flight."""

    def complete_next(self) -> None:
        """Finish the oldest pending piece of work."""


@attrs.frozen
class Step:
    """One thing done, to *subject* (a device or a file); *waits_for* says that nothing could be done yet."""

    phase: Phase
    subject: str
    waits_for: Completing | None = None

    def __str__(self) -> str:
        waiting = "waits: " if self.waits_for is not None else ""
        return f"{waiting}{self.phase.value} {self.subject}"


Steps: TypeAlias = Generator[Step, None, T]


def run(steps: Steps[T]) -> T:
    """Run *steps* to the end and return their value; what they wait for is completed on the way."""
    while True:
        try:
            step = next(steps)
        except StopIteration as stop:
            value: T = stop.value
            return value
        if step.waits_for is not None:
            step.waits_for.complete_next()
