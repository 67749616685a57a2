"""`blockdev-snapshot-sync`: put a new overlay on top of a device.

Source: semantics.md, section 1.  As an action it is one entry of the group snapshot, as merged on
29 February 2012.  Called alone, as-posted, it is the single-device predecessor, which closes and opens;
hardened, it is a group of one.
"""

from collections.abc import Sequence

import attrs

from blockops.commands.action import flush_device, held_still, prepare_all, switch_all, usable_device
from blockops.commands.exchange import Exchange
from blockops.commands.images import Images
from blockops.commands.pivot import Pivot
from blockops.commands.profile import Mode, Profile
from blockops.device import drain, resume
from blockops.errors import (
    DeviceInUse,
    DeviceIOError,
    DeviceNotFound,
    InvalidRequest,
    OpenFileFailed,
    UnsupportedFeature,
)
from blockops.graph.change import Append
from blockops.graph.formats import known_format
from blockops.graph.node import ImageNode
from blockops.machine import Machine
from blockops.steps import Phase, Step, Steps


@attrs.frozen
class SnapshotSync:
    """Arguments: *format* is qcow2 where absent, never probed.  *mode* is an extension (see `Mode`)."""

    device: str
    snapshot_file: str
    format: str = "qcow2"
    mode: Mode | None = None


@attrs.define(eq=False)
class SnapshotAction(Pivot):
    """One entry of a group: create an overlay over what the device shows now, put it on top at commit.

    *format* None probes an existing overlay.  *flushes*: flush the device while preparing, as the group
    snapshot did, whose devices are drained by then.
    """

    filename: str
    format: str | None
    mode: Mode | None = None
    flushes: bool = attrs.field(default=False, kw_only=True)
    _overlay: ImageNode | None = attrs.field(default=None, init=False)

    def _prepare(self) -> Steps[None]:
        device = self.usable()
        base = self.room_above(device, self.filename)
        yield Step(Phase.CHECK, self.device)
        if self.flushes:
            yield from flush_device(device)
        if self.format is not None:
            known_format(self.format, self.device)
        if self.mode is not Mode.EXISTING:
            yield from self.images.create_over(self.filename, self.format or "qcow2", base)
        self._overlay = self.images.open_top(
            self.filename, self.format, writable=base.writable, size=base.size
        )
        self._show(Append(self.device, self._overlay))
        yield Step(Phase.OPEN, self.filename)
        self._refuse_raw(self._overlay)

    def _refuse_raw(self, overlay: ImageNode) -> None:
        if overlay.format == "raw":
            cause = UnsupportedFeature(overlay.path, "a backing file under a raw image")
            raise OpenFileFailed(self.filename, self.device, cause)

    def _prepared(self) -> Sequence[tuple[str, ImageNode]]:
        assert self._overlay is not None, "secured before it was prepared"
        return [(self.filename, self._overlay)]


def snapshot_action(
    machine: Machine,
    profile: Profile,
    wanted: SnapshotSync,
    *,
    user: str | None = None,
    flushes: bool = False,
) -> SnapshotAction:
    """Return the action that *wanted* describes."""
    return SnapshotAction(
        machine,
        profile,
        wanted.device,
        wanted.snapshot_file,
        wanted.format,
        wanted.mode,
        user=user,
        flushes=flushes,
    )


def refuse_repetitions(machine: Machine, entries: Sequence[SnapshotSync]) -> None:
    """Check every device of a list of snapshots and raise if one, or a file, is named twice (hardened)."""
    devices: set[str] = set()
    paths: set[str] = set()
    for entry in entries:
        machine.idle_device(entry.device)
        path = machine.host.resolve(entry.snapshot_file)
        if entry.device in devices:
            raise DeviceInUse(entry.device, "an earlier entry of the list")
        if path in paths:
            cause = InvalidRequest(path, "an earlier entry of the list names it as well")
            raise OpenFileFailed(entry.snapshot_file, entry.device, cause)
        devices.add(entry.device)
        paths.add(path)


def snapshot_sync(machine: Machine, profile: Profile, wanted: SnapshotSync) -> Steps[None]:
    """Carry out the command on its own.

    Afterwards the device shows the overlay, or after an error what it showed before; as-posted it may
    be dead, then the error names the old file.
    """
    if profile is Profile.AS_POSTED:
        yield from _snapshot_of_2012(machine, wanted)
        return
    action = snapshot_action(machine, profile, wanted)
    yield from prepare_all([action])
    yield from switch_all(machine, held_still(machine, profile, wanted.device), [action])


def _snapshot_of_2012(machine: Machine, wanted: SnapshotSync) -> Steps[None]:
    """Create, drain, flush (result ignored), close, open."""
    yield from create_for(machine, wanted)
    held = held_still(machine, Profile.AS_POSTED, wanted.device)
    try:
        yield from drain(held)
        yield from flush_ignoring_errors(machine, wanted.device)
        yield from Exchange(machine, wanted.device, wanted.snapshot_file, wanted.format).commit()
    finally:
        resume(held)


def create_for(machine: Machine, wanted: SnapshotSync) -> Steps[None]:
    """Check one device and create its overlay, as-posted."""
    device = usable_device(machine, wanted.device, None)
    base = device.medium
    yield Step(Phase.CHECK, wanted.device)
    known_format(wanted.format, wanted.device)
    if wanted.mode is not Mode.EXISTING:
        images = Images(machine, Profile.AS_POSTED, wanted.device)
        yield from images.create_over(wanted.snapshot_file, wanted.format, base)


def flush_ignoring_errors(machine: Machine, name: str) -> Steps[None]:
    """Flush as the code of 2012 did that never looked at the result; a device that is gone has none."""
    try:
        yield from flush_device(machine.device(name))
    except (DeviceIOError, DeviceNotFound):
        yield Step(Phase.FLUSH, name)
