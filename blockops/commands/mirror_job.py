"""`drive-mirror` as QEMU has had it since 1.3: a job that copies a device to a target in the background.

Source: `drive-mirror` of QEMU's QAPI schema.  It has nothing but its name in common with the command of
2012 (`blockops.commands.mirror`): nobody copies but the job, and no error of the target is the guest's.
The target is opened without its backing, which need not be there yet; completing opens it.
"""

from collections.abc import Sequence

import attrs

from blockops.commands.action import held_still, prepare_all, switch_all
from blockops.commands.images import naming
from blockops.commands.pivot import Pivot
from blockops.commands.profile import Mode, Profile, opening
from blockops.errors import OpenFileFailed
from blockops.graph.change import Replace
from blockops.graph.formats import backing_of, hang_over_recorded, known_format
from blockops.graph.node import ImageNode, Node
from blockops.graph.tracking import DirtyMap, TrackingNode
from blockops.jobs.job import Tell
from blockops.jobs.mirror import MirrorJob, OnError, Sync
from blockops.machine import Machine
from blockops.qcow2.image import Qcow2Image
from blockops.steps import Phase, Step, Steps

SMALLEST_CHUNK, LARGEST_CHUNK = 4096, 65536
"""The bounds of a chunk in bytes, unless the target's clusters are larger: QEMU's default granularity."""


@attrs.frozen
class DriveMirrorJob:
    """Arguments: *mode* is absolute-paths where absent.

    *format*: probed where the target exists, else the source's where it is created.
    """

    device: str
    target: str
    sync: Sync
    format: str | None = None
    mode: Mode | None = None
    on_source_error: OnError = OnError.REPORT
    on_target_error: OnError = OnError.REPORT


@attrs.define(eq=False)
class MirrorJobAction(Pivot):
    """Open the target, and at commit put the filter on the device that remembers what is written."""

    wanted: DriveMirrorJob
    tracked: TrackingNode | None = attrs.field(default=None, init=False)

    def _prepare(self) -> Steps[None]:
        wanted, device = self.wanted, self.usable()
        top = device.medium
        yield Step(Phase.CHECK, self.device)
        if wanted.format is not None:
            known_format(wanted.format, self.device)
        if wanted.mode is not Mode.EXISTING:
            yield from self._create(top)
        target = self.images.open_top(wanted.target, wanted.format, writable=True, size=top.size)
        dirty = DirtyMap(top.size, chunk_size(target))
        self.tracked = TrackingNode(self.machine.graph.new_name(), top, target, dirty)
        self._show(Replace(self.device, self.tracked))
        yield Step(Phase.OPEN, wanted.target)

    def _create(self, top: Node) -> Steps[None]:
        """Make the target: whole, or over what the source rests on, or over the source itself."""
        format = self.wanted.format or top.source.format
        base = {Sync.FULL: None, Sync.TOP: top.source.backing, Sync.NONE: top}[self.wanted.sync]
        if base is None:
            yield from self.images.create_flat(self.wanted.target, format, top.size)
        else:
            yield from self.images.create_over(self.wanted.target, format, base)

    def secure(self) -> Steps[None]:
        """Nothing relies on the target yet."""
        yield from ()

    def _prepared(self) -> Sequence[tuple[str, ImageNode]]:
        return []


def chunk_size(target: ImageNode) -> int:
    """Return how many bytes are copied at once: whole clusters of a target that has no backing open."""
    if not isinstance(target.image, Qcow2Image):
        return LARGEST_CHUNK
    return max(target.image.header.geometry.cluster_size, SMALLEST_CHUNK)


def start_mirror(machine: Machine, profile: Profile, wanted: DriveMirrorJob, tell: Tell) -> Steps[None]:
    """Start the job; afterwards the device shows what it did, and its writes are remembered for the copy."""
    action = MirrorJobAction(machine, profile, wanted.device, wanted)
    yield from prepare_all([action])
    yield from switch_all(machine, held_still(machine, profile, wanted.device), [action])
    assert action.tracked is not None, "committed before it was prepared"
    job = MirrorJob(
        machine,
        wanted.device,
        tell,
        node=action.tracked,
        sync=_narrowed(wanted.sync, action.tracked),
        on_source_error=wanted.on_source_error,
        on_target_error=wanted.on_target_error,
    )
    job.start()


def _narrowed(sync: Sync, node: TrackingNode) -> Sync:
    """Without a backing the top is all there is."""
    return Sync.FULL if sync is Sync.TOP and node.source.backing is None else sync


def complete_mirror(machine: Machine, profile: Profile, job: MirrorJob) -> Steps[None]:
    """Ask a mirror that is ready to switch to its target; the switch comes later, at the job's own pace.

    The target's backing is opened first.  Where that fails the job goes on as if nothing had been asked.
    What the machine has open already is used as it stands, in either profile: a second handle on an image
    that is written to would read what is no longer so.
    """
    job.complete()
    target = job.node.target
    recorded = backing_of(target)
    if recorded is None or target.backing is not None:
        yield Step(Phase.CHECK, job.device)
        return
    how = attrs.evolve(opening(profile), writable=False, share=True)
    try:
        with naming(target.filename, job.device):
            hang_over_recorded(machine.graph, machine.host, target, how)
    except OpenFileFailed:
        job.completing = False
        raise
    yield Step(Phase.OPEN, recorded[0])
