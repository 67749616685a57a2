"""`transaction`, as QEMU 1.1 shipped it in 2012, and the mirror job that QEMU 1.3 put beside it.

Source: semantics.md, section 3, "What was merged instead"; QEMU's QAPI schema.  Prepare each action in
order, then commit all; on an error abort in reverse order what was prepared.  Only snapshots (and `abort`)
are actions: a mirror is started, completed and cancelled one device a command, and a plain
`blockdev-snapshot-sync` is a transaction of one.

As-posted all of it happens while the whole machine is drained, `absolute-paths` wipes what is there, and a
failure leaves every file that it made.  Hardened is our choice: it prepares while the guest runs, drains
only for flush and pivot, refuses what exists or is named twice, and removes what it made.
"""

from collections.abc import Mapping, Sequence

import attrs

from blockops.commands.action import Action, commit_all, prepare_all, switch_all
from blockops.commands.block_jobs import (
    CancelJob,
    OfJob,
    cancel_job,
    job_of,
    pause_job,
    query_block_jobs,
    resume_job,
)
from blockops.commands.mirror_job import DriveMirrorJob, complete_mirror, start_mirror
from blockops.commands.profile import Profile
from blockops.commands.snapshot import SnapshotSync, refuse_repetitions, snapshot_action
from blockops.device import drain, resume
from blockops.errors import DeviceNotActive, Leftover, UndefinedError
from blockops.jobs.mirror import MirrorJob
from blockops.machine import Machine
from blockops.qmp.command import Client, Command, Event, NoArguments, by_name
from blockops.qmp.shared import plain_resize, query_command
from blockops.steps import Phase, Step, Steps
from proposals.merged_transaction.arguments import Abort, Data, Transaction


@attrs.define(eq=False)
class AbortAction:
    """The action that fails while it is prepared, after every one before it."""

    device: str = ""

    def prepare(self) -> Steps[None]:
        yield Step(Phase.CHECK, "abort")
        raise UndefinedError("The transaction is aborted: that is what its action 'abort' is for")

    def secure(self) -> Steps[None]:
        yield from ()

    def commit(self) -> Steps[None]:
        yield from ()

    def revert(self) -> Steps[None]:
        yield from ()

    def abort(self) -> Steps[tuple[Leftover, ...]]:
        """Nothing was made."""
        yield from ()
        return ()

    def finish(self) -> None:
        """Never reached: it fails before."""


@attrs.define(eq=False)
class MergedTransactionCommands:
    """The design over one machine."""

    machine: Machine
    profile: Profile
    events: list[Event] = attrs.field(factory=list)

    @property
    def commands(self) -> Mapping[str, Command]:
        return by_name(
            Command(
                "transaction",
                Transaction,
                self.transaction,
                "Carry out every action of a list at one instant, or none.",
                "patch",
            ),
            Command(
                "blockdev-snapshot-sync",
                SnapshotSync,
                self.snapshot,
                "Put a new overlay on top of one device: a transaction of one.",
                "patch",
            ),
            Command(
                "drive-mirror",
                DriveMirrorJob,
                self.mirror,
                "Start a job that copies one device to a target, and what is written meanwhile.",
                "patch",
            ),
            Command(
                "block-job-complete",
                OfJob,
                self.complete,
                "Let one device switch to the target of its mirror, which is ready.",
                "patch",
            ),
            Command(
                "block-job-cancel",
                CancelJob,
                self.cancel,
                "End the job of one device; the device stays where it is.",
                "patch",
            ),
            Command("block-job-pause", OfJob, self.pause, "Let a job rest.", "patch"),
            Command("block-job-resume", OfJob, self.resume, "Let a job go on.", "patch"),
            Command("query-block-jobs", NoArguments, self.query_jobs, "Tell which jobs there are.", "patch"),
            plain_resize(self.machine, self.profile),
            query_command(self.machine),
        )

    def transaction(self, client: Client, wanted: Transaction) -> Steps[None]:
        """Carry out every action; an error is the first one only, and no device has changed."""
        yield from self._all([action.data for action in wanted.actions])

    def snapshot(self, client: Client, wanted: SnapshotSync) -> Steps[None]:
        """A transaction of one snapshot."""
        yield from self._all([wanted])

    def mirror(self, client: Client, wanted: DriveMirrorJob) -> Steps[None]:
        """Start a mirror job; how it goes on, events tell."""
        yield from start_mirror(self.machine, self.profile, wanted, self._tell)

    def complete(self, client: Client, wanted: OfJob) -> Steps[None]:
        """Ask a mirror that is ready to switch its device; the reply comes before the switch."""
        job = job_of(self.machine, wanted.device)
        if not isinstance(job, MirrorJob):
            raise DeviceNotActive(wanted.device)
        yield from complete_mirror(self.machine, self.profile, job)

    def cancel(self, client: Client, wanted: CancelJob) -> Steps[None]:
        """Ask a job to end; the reply comes before the end."""
        yield from cancel_job(self.machine, wanted)

    def pause(self, client: Client, wanted: OfJob) -> Steps[None]:
        """Let a job rest at its next pause point."""
        yield from pause_job(self.machine, wanted)

    def resume(self, client: Client, wanted: OfJob) -> Steps[None]:
        """Let a job go on that was paused, by a client or by an error."""
        yield from resume_job(self.machine, wanted)

    def query_jobs(self, client: Client, wanted: NoArguments) -> Steps[object]:
        """Return a row for each job that has not ended."""
        return (yield from query_block_jobs(self.machine))

    def disconnected(self, client: Client) -> Steps[None]:
        """Nothing: jobs go on."""
        yield from ()

    def _tell(self, name: str, data: Mapping[str, object]) -> None:
        self.events.append(Event(name, data))

    def _all(self, wanted: Sequence[Data]) -> Steps[None]:
        if self.profile is Profile.AS_POSTED:
            yield from self._as_shipped(wanted)
        else:
            yield from self._hardened(wanted)

    def _as_shipped(self, wanted: Sequence[Data]) -> Steps[None]:
        actions = [self._action(one) for one in wanted]
        held = list(self.machine.devices.values())
        try:
            yield from drain(held)
            yield from prepare_all(actions)
            yield from commit_all(self.machine, actions)
        finally:
            resume(held)

    def _hardened(self, wanted: Sequence[Data]) -> Steps[None]:
        refuse_repetitions(self.machine, [one for one in wanted if isinstance(one, SnapshotSync)])
        actions = [self._action(one) for one in wanted]
        yield from prepare_all(actions)
        yield from switch_all(self.machine, self.machine.devices.values(), actions)

    def _action(self, wanted: Data) -> Action:
        if isinstance(wanted, Abort):
            return AbortAction()
        as_posted = self.profile is Profile.AS_POSTED
        return snapshot_action(self.machine, self.profile, wanted, flushes=as_posted)
