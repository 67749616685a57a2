"""`block_resize`: let a device's disk grow.

Source: QEMU's command of that name (0.14), `{ device, size }`, size in bytes; on nobody's page.  It is the
fifth operation, added to each proposal to see what adding one takes (claim A1).  Where the page is silent
the behaviour is our choice: a disk only grows (so did qcow2 in 2012), in whole sectors, and not under a
mirror, whose two legs would have to grow as one.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import attrs

from blockops.commands.action import flush_device, held_still, prepare_all, switch_all, usable_device
from blockops.commands.profile import Profile
from blockops.errors import BlockError, CommandError, DeviceIOError, Leftover, UndefinedError
from blockops.graph.node import ImageNode
from blockops.machine import Machine
from blockops.steps import Phase, Step, Steps
from blockops.units import SECTOR


@attrs.frozen
class BlockResize:
    """Arguments: *size* is the new size of the device's disk in bytes."""

    device: str
    size: int


@attrs.define(eq=False)
class ResizeAction:
    """A resize as an action: its commit writes to the image, so unlike a pivot it can fail.

    *user*: on whose behalf the device may be reserved already, or None.
    """

    machine: Machine
    device: str
    size: int
    user: str | None = None
    _grown: tuple[ImageNode, int] | None = attrs.field(default=None, init=False)

    def prepare(self) -> Steps[None]:
        """Check that the device can have this size; nothing is written yet."""
        self._growable()
        yield Step(Phase.CHECK, self.device)

    def secure(self) -> Steps[None]:
        yield from flush_device(self.machine.device(self.device))

    def commit(self) -> Steps[None]:
        """Grow the image that the device shows; after an error it has its old size."""
        node = self._growable()
        before = node.size
        with self._as_io_error():
            node.image.resize(self.size)
        self._grown = node, before
        yield Step(Phase.RESIZE, self.device)

    def revert(self) -> Steps[None]:
        """Shrink back, which the guest cannot notice: it has been held still since the commit."""
        if self._grown is not None:
            node, before = self._grown
            self._grown = None
            with self._as_io_error():
                node.image.take_back_growth(before)
        yield Step(Phase.RESIZE, self.device)

    def abort(self) -> Steps[tuple[Leftover, ...]]:
        """Nothing was made."""
        yield from ()
        return ()

    def finish(self) -> None:
        self._grown = None

    def _growable(self) -> ImageNode:
        device = usable_device(self.machine, self.device, self.user)
        top = device.medium
        if not isinstance(top, ImageNode):
            raise UndefinedError(f"Device '{self.device}' is mirrored: it cannot be resized")
        if not top.writable:
            raise UndefinedError(f"Device '{self.device}' is read-only")
        if self.size % SECTOR or self.size < top.size:
            raise UndefinedError(
                f"Device '{self.device}' cannot be resized from {top.size} to {self.size} bytes: "
                f"a disk only grows, in sectors of {SECTOR} bytes"
            )
        return top

    @contextmanager
    def _as_io_error(self) -> Iterator[None]:
        try:
            yield
        except CommandError:
            raise
        except BlockError as error:
            raise DeviceIOError(self.device, error) from error


def resize_action(machine: Machine, wanted: BlockResize, *, user: str | None = None) -> ResizeAction:
    """Return the action that *wanted* describes."""
    return ResizeAction(machine, wanted.device, wanted.size, user)


def block_resize(machine: Machine, profile: Profile, wanted: BlockResize) -> Steps[None]:
    """Carry out the command on its own: check, drain, flush, grow; after an error the size is as before."""
    action = resize_action(machine, wanted)
    yield from prepare_all([action])
    yield from switch_all(machine, held_still(machine, profile, wanted.device), [action])
