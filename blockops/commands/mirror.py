"""`drive-mirror`: from now on send the guest's writes to a second image as well (blkmirror).

Source: semantics.md, sections 2 and 3.  No background copy: what the base holds is copied by somebody
else.  The target is opened without its backing, which need not be there yet, and shares the source's.
"""

from collections.abc import Sequence

import attrs

from blockops.commands.action import held_still, prepare_all, switch_all
from blockops.commands.pivot import Pivot
from blockops.commands.profile import Mode, Profile
from blockops.graph.change import Mirror
from blockops.graph.formats import known_format
from blockops.graph.node import ImageNode, Node
from blockops.machine import Machine
from blockops.steps import Phase, Step, Steps


@attrs.frozen
class DriveMirror:
    """Arguments: an existing target is opened, an absent one created (our choice).

    *format*: probed where the target exists, qcow2 where it is created.  *mode* is an extension (see
    `Mode`) that says which of the two is meant.
    """

    device: str
    dest: str
    format: str | None = None
    mode: Mode | None = None


@attrs.define(eq=False)
class MirrorAction(Pivot):
    """Prepare a target over what the device shows now; append blkmirror at commit.

    A created target records the current image as its backing, whatever else is prepared beside it.
    """

    filename: str
    format: str | None
    mode: Mode | None = None
    _target: ImageNode | None = attrs.field(default=None, init=False)

    def _prepare(self) -> Steps[None]:
        device = self.usable()
        top = self.room_above(device, self.filename)
        yield Step(Phase.CHECK, self.device)
        if self.format is not None:
            known_format(self.format, self.device)
        created = self._is_to_be_created()
        if created:
            yield from self._create(top)
        target = self.images.open_top(self.filename, self.format, writable=True, size=top.size)
        self._target = target
        self._show(Mirror(self.device, target, shares_backing=self._hang(target, top, created)))
        yield Step(Phase.OPEN, self.filename)

    def _is_to_be_created(self) -> bool:
        if self.mode is None:
            return not self.machine.host.exists(self.filename)
        return self.mode is Mode.ABSOLUTE_PATHS

    def _create(self, top: Node) -> Steps[None]:
        if self.format == "raw":
            yield from self.images.create_flat(self.filename, "raw", top.size)
        else:
            yield from self.images.create_over(self.filename, self.format or "qcow2", top)

    def _hang(self, target: ImageNode, top: Node, created: bool) -> bool:
        """Hang the target over what its header records; return whether the source's backing must do.

        As-posted always shared it, even where the header of a created target records the source itself.
        """
        if target.format == "raw":
            return False
        if self.images.hardened and created:
            target.backing = top.source
            return False
        return True

    def _prepared(self) -> Sequence[tuple[str, ImageNode]]:
        assert self._target is not None, "secured before it was prepared"
        return [(self.filename, self._target)]


def mirror_action(
    machine: Machine, profile: Profile, wanted: DriveMirror, *, user: str | None = None
) -> MirrorAction:
    """Return the action that *wanted* describes."""
    return MirrorAction(machine, profile, wanted.device, wanted.dest, wanted.format, wanted.mode, user=user)


def drive_mirror(machine: Machine, profile: Profile, wanted: DriveMirror) -> Steps[None]:
    """Carry out the command on its own; after an error the device shows what it showed before."""
    action = mirror_action(machine, profile, wanted)
    yield from prepare_all([action])
    yield from switch_all(machine, held_still(machine, profile, wanted.device), [action])
