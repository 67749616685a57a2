"""`drive-reopen`: show another, existing image instead of the current one.

Source: semantics.md, section 2 (Simoncelli's patches).  As-posted: close, then open, and back if that
fails.  Hardened: open first, then switch in memory; what the device has open below it already (its old
image under an overlay, its mirror's target) is shown as it stands, over the backing that it records.
"""

from collections.abc import Iterator, Sequence

import attrs

from blockops.commands.action import Action, held_still, prepare_all, switch_all, usable_device
from blockops.commands.exchange import Exchange
from blockops.commands.images import Images, naming, refuse_other_size
from blockops.commands.pivot import Pivot
from blockops.commands.profile import Mode, Profile, opening
from blockops.device import Device
from blockops.errors import ImageError, InvalidRequest
from blockops.graph.change import Promote, Replace
from blockops.graph.formats import Opening, backing_of, known_format, open_node, resolve_backing
from blockops.graph.graph import everything_below
from blockops.graph.node import ImageNode, Node
from blockops.machine import Machine
from blockops.steps import Phase, Step, Steps


@attrs.frozen
class DriveReopen:
    """Arguments: *format* is probed where absent, as the code did (its documentation said qcow2).

    *mode* is an extension (see `Mode`): without it the image must exist; absolute-paths makes it first,
    as an overlay over the current image (our choice).
    """

    device: str
    source: str
    format: str | None = None
    mode: Mode | None = None


@attrs.define(eq=False)
class ReopenAction(Pivot):
    """The hardened switch: everything is opened while preparing."""

    filename: str
    format: str | None
    mode: Mode | None = None
    _new: ImageNode | None = attrs.field(default=None, init=False)

    def _prepare(self) -> Steps[None]:
        device = self.usable()
        yield Step(Phase.CHECK, self.device)
        if self.format is not None:
            known_format(self.format, self.device)
        if self.mode is Mode.ABSOLUTE_PATHS:
            yield from self.images.create_over(self.filename, self.format or "qcow2", device.medium)
        with naming(self.filename, self.device):
            self._new = self._open(device)
        yield Step(Phase.OPEN, self.filename)

    def _open(self, device: Device) -> ImageNode:
        own = self._own_node(device)
        if own is not None:  # the device rests on it already: its name needs no sync that could fail
            self._show(Promote(self.device, own, self._recorded_backing(own)))
            return own
        node = open_node(self.machine.graph, self.machine.host, self.filename, self.format, self._how(device))
        self._show(Replace(self.device, node))
        self.images.sync_folder(self.filename)
        self._refuse_foreign_disk(node)
        if device.top is not None:
            refuse_other_size(node, device.top.size)
        return node

    def _how(self, device: Device) -> Opening:
        """Return how to open.

        Where this device alone reads from the file already, the lock in the way is our own: the new
        handle goes without one.
        """
        path = self.machine.host.resolve(self.filename)
        ours = any(node.path == path for node in self._private_nodes(device))
        return attrs.evolve(opening(self.profile), writable=not device.read_only, lock=not ours)

    def _own_node(self, device: Device) -> ImageNode | None:
        """Return the open node of this file if the device has it below it and could write to it."""
        path = self.machine.host.resolve(self.filename)
        for node in self._private_nodes(device):
            fits = self.format in (None, node.format) and node.writable is not device.read_only
            if node.path == path and fits:
                return node
        return None

    def _private_nodes(self, device: Device) -> Iterator[ImageNode]:
        """Yield the images below the device that no other device reads from."""
        foreign = {id(node) for top in self._foreign_tops() for node in everything_below(top)}
        if device.top is not None:
            for node in everything_below(device.top):
                if isinstance(node, ImageNode) and id(node) not in foreign:
                    yield node

    def _foreign_tops(self) -> list[Node]:
        tops = self.machine.graph.tops.items()
        return [top for name, top in tops if name != self.device and top is not None]

    def _refuse_foreign_disk(self, node: ImageNode) -> None:
        """Raise if another device's guest writes to what *node* would read from."""
        written = {id(top.source) for top in self._foreign_tops()}
        for below in everything_below(node):
            if id(below) in written:
                raise InvalidRequest(self.filename, f"{below.source.path} below it is another device's disk")

    def _recorded_backing(self, node: ImageNode) -> Node | None:
        recorded = backing_of(node)
        if recorded is None:
            return None
        path = resolve_backing(node.path, recorded[0])
        shared = self.machine.graph.opened(path)
        below = shared or self._open_backing(path, recorded[1])
        self._refuse_foreign_disk(below)
        if any(one is node for one in everything_below(below)):
            raise ImageError(node.path, "backing file name", None, f"{path} is above it in the chain: a loop")
        return below

    def _open_backing(self, path: str, format: str | None) -> ImageNode:
        how = attrs.evolve(opening(self.profile), writable=False)
        return open_node(self.machine.graph, self.machine.host, path, format, how)

    def secure(self) -> Steps[None]:
        """Flush as every pivot does, but not where only filters go away.

        The guest's data stay in the image that they are in; a mirror can thus be dropped from a disk that
        cannot be flushed (our choice).
        """
        top = self.machine.device(self.device).top
        if top is not None and top.source is self._new:
            yield Step(Phase.CHECK, self.device)
        else:
            yield from super().secure()

    def _prepared(self) -> Sequence[tuple[str, ImageNode]]:
        assert self._new is not None, "secured before it was prepared"
        return [(self.filename, self._new)]


@attrs.define(eq=False)
class ReopenOf2012(Exchange):
    """The as-posted switch: prepared by checking only, closed and opened at commit."""

    mode: Mode | None = None

    def prepare(self) -> Steps[None]:
        device = usable_device(self.machine, self.device, self.user)
        yield Step(Phase.CHECK, self.device)
        if self.format is not None:
            known_format(self.format, self.device)
        if self.mode is Mode.ABSOLUTE_PATHS:
            images = Images(self.machine, Profile.AS_POSTED, self.device)
            yield from images.create_over(self.filename, self.format or "qcow2", device.medium)


def reopen_action(
    machine: Machine, profile: Profile, wanted: DriveReopen, *, user: str | None = None
) -> Action:
    """Return the action that *wanted* describes."""
    if profile is Profile.AS_POSTED:
        return ReopenOf2012(machine, wanted.device, wanted.source, wanted.format, user, mode=wanted.mode)
    return ReopenAction(machine, profile, wanted.device, wanted.source, wanted.format, wanted.mode, user=user)


def drive_reopen(machine: Machine, profile: Profile, wanted: DriveReopen) -> Steps[None]:
    """Carry out the command on its own: check, drain, flush, switch.

    Afterwards the device shows the new image, or after an error the old one; as-posted it may be dead,
    then the error names the old file.  A device without a medium takes the new image (our choice).
    """
    action = reopen_action(machine, profile, wanted)
    yield from prepare_all([action])
    yield from switch_all(machine, held_still(machine, profile, wanted.device), [action])
