"""How the program ends: the exit codes, and every failure as one sentence on standard error.

0  it ran; violations in contestants are findings, not failures
1  --fail-on new: there are violations that the baseline does not have
2  interrupted, or inconclusive: not one case could be judged
3  internal error; a broken invariant of our own core is one
4  usage, or input that cannot be used
5  the output cannot be written
"""

import enum
import errno
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from types import FrameType

import click

from blockops.errors import BlockError


class Exit(enum.IntEnum):
    """What the program's exit code means."""

    RAN = 0
    NEW = 1
    INTERRUPTED = 2
    INTERNAL = 3
    UNUSABLE = 4
    UNWRITABLE = 5


class CannotWrite(Exception):
    """The output cannot be written; the message names where and says why."""


class Unusable(Exception):
    """The input or the usage is wrong; the message is one sentence that names the culprit."""


class CoreBroken(Exception):
    """Invariants of our own core broke, one sentence each: no finding of that run may be trusted."""

    def __init__(self, sentences: Sequence[str]) -> None:
        super().__init__(sentences)
        self.sentences = sentences


def guarded(program: Callable[[], int]) -> int:
    """Run *program* and return its exit code; every failure becomes one sentence and its own code.

    SIGTERM is as Ctrl-C.  A reader that went away (`| head`) ends the program quietly.
    """
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        if sys.stdout is None:  # so Python says that it was closed before the program began
            raise CannotWrite(f"standard output: {os.strerror(errno.EBADF)}")
        code = program()
        sys.stdout.flush()
        return code
    except (BrokenPipeError, SystemExit):  # SystemExit: click has seen the broken pipe before us
        _drop_output()
        return Exit.RAN
    except BaseException as error:
        return _explain(error)
    finally:
        signal.signal(signal.SIGTERM, previous)


def _explain(error: BaseException) -> Exit:
    match error:
        case KeyboardInterrupt() | click.Abort():
            return _say("interrupted", Exit.INTERRUPTED)
        case click.UsageError():
            hint = f" (see '{error.ctx.command_path} --help')" if error.ctx is not None else ""
            return _say(f"{error.format_message().rstrip('.')}{hint}", Exit.UNUSABLE)
        case click.ClickException():
            return _say(error.format_message(), Exit.UNUSABLE)
        case BlockError() | Unusable():
            return _say(str(error), Exit.UNUSABLE)
        case CannotWrite():
            return _say(str(error), Exit.UNWRITABLE)
        case CoreBroken(sentences=sentences):
            return _say(f"our own core broke an invariant: {_first(sentences)}", Exit.INTERNAL)
        case OSError(filename=None, errno=errno.ENOSPC | errno.EIO | errno.EFBIG | errno.EBADF):
            _drop_output()  # an error that names no file: what was written to standard output
            return _say(f"standard output: {error.strerror}", Exit.UNWRITABLE)
        case _:
            traceback.print_exception(error)
            return _say(f"internal error: {error!r}; please report it", Exit.INTERNAL)


def _first(sentences: Sequence[str]) -> str:
    more = f" (and {len(sentences) - 1} more, in the report)" if len(sentences) > 1 else ""
    return f"{sentences[0]}{more}"


def _say(sentence: str, code: Exit) -> Exit:
    click.echo(f"blockops: {' '.join(sentence.split())}", err=True)
    return code


def _drop_output() -> None:
    """Let the interpreter's last flush go nowhere instead of failing aloud."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _interrupt(signal_number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
