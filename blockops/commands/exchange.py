"""Close what a device shows, then open another image: how 2012 switched before there was a pivot.

Between the two the device has no image.  If the new one cannot be opened the old one is opened again,
from its saved name and driver; if that fails too the device is dead, and the error names the old file:
which of the two it names is the only sign of what happened (semantics.md, sections 1 and 2).
"""

import attrs

from blockops.commands.action import flush_device, usable_device
from blockops.commands.images import naming
from blockops.commands.profile import Profile, opening
from blockops.errors import BlockError, InvalidRequest, Leftover, OpenFileFailed
from blockops.graph.formats import open_node
from blockops.graph.node import ImageNode, Node
from blockops.machine import Machine
from blockops.steps import Phase, Step, Steps


@attrs.frozen
class Saved:
    """What is needed to open an image again: the name as it was given, and the driver.

    *rebuildable*: a filter's saved name cannot rebuild its link to the source, so a failed exchange out
    of a mirror cannot roll back (semantics.md, section 2).
    """

    filename: str
    format: str
    rebuildable: bool


def saved(node: Node) -> Saved:
    """Return what 2012 kept of *node* before it closed it."""
    image = node.source
    return Saved(image.filename, image.format, isinstance(node, ImageNode))


@attrs.define(eq=False)
class Exchange:
    """The close-then-open of one device as an action; *format* None probes.  As-posted only."""

    machine: Machine
    device: str
    filename: str
    format: str | None
    user: str | None = None
    _old: Saved | None = None

    def prepare(self) -> Steps[None]:
        """Only check the device: the image is opened at commit."""
        usable_device(self.machine, self.device, self.user)
        yield Step(Phase.CHECK, self.device)

    def secure(self) -> Steps[None]:
        yield from flush_device(self.machine.device(self.device))

    def commit(self) -> Steps[None]:
        """Close and open.  OpenFileFailed{new}: rolled back; OpenFileFailed{old}: the device is dead."""
        top = self.machine.device(self.device).top
        self._old = None if top is None else saved(top)
        yield from self._close()
        try:
            yield from self._open(self.filename, self.format)
        except OpenFileFailed:
            yield from self._reopen_old()
            raise

    def revert(self) -> Steps[None]:
        """Close the new image and open the old one again, which can fail and leave the device dead."""
        yield from self._close()
        yield from self._reopen_old()

    def abort(self) -> Steps[tuple[Leftover, ...]]:
        """Nothing was prepared, and 2012 removed no file."""
        yield from ()
        return ()

    def finish(self) -> None:
        self._old = None

    def _close(self) -> Steps[None]:
        self.machine.graph.show(self.device, None)
        self.machine.graph.collect()
        yield Step(Phase.CLOSE, self.device)

    def _open(self, filename: str, format: str | None) -> Steps[None]:
        writable = not self.machine.device(self.device).read_only
        how = attrs.evolve(opening(Profile.AS_POSTED), writable=writable)
        with naming(filename, self.device):
            node = open_node(self.machine.graph, self.machine.host, filename, format, how)
        self.machine.graph.show(self.device, node)
        yield Step(Phase.OPEN, filename)

    def _reopen_old(self) -> Steps[None]:
        if self._old is None:
            return
        if not self._old.rebuildable:
            raise OpenFileFailed(self._old.filename, self.device, _unrebuildable(self._old))
        yield from self._open(self._old.filename, self._old.format)


def _unrebuildable(old: Saved) -> BlockError:
    return InvalidRequest(old.filename, "the mirror above it cannot be rebuilt from a saved name")
