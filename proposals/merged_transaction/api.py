"""The list transaction and the mirror jobs from Python: plain calls that run to their end."""

from collections.abc import Iterable

import attrs

from blockops.commands.block_jobs import CancelJob, OfJob
from blockops.commands.mirror_job import DriveMirrorJob
from blockops.commands.profile import Mode, Profile
from blockops.commands.resize import BlockResize, block_resize
from blockops.commands.snapshot import SnapshotSync
from blockops.jobs.job import run_jobs
from blockops.jobs.mirror import OnError, Sync
from blockops.machine import Machine
from blockops.qmp.command import Client, NoArguments
from blockops.steps import run
from proposals.merged_transaction.arguments import Abort, Data, Transaction, TransactionAction
from proposals.merged_transaction.commands import MergedTransactionCommands


@attrs.define(eq=False)
class MergedTransaction:
    """The design's commands as methods; each raises `CommandError`."""

    machine: Machine
    profile: Profile = Profile.HARDENED
    commands: MergedTransactionCommands = attrs.field(init=False)
    client: Client = attrs.field(init=False, factory=lambda: Client("python"))

    def __attrs_post_init__(self) -> None:
        self.commands = MergedTransactionCommands(self.machine, self.profile)

    def transaction(self, actions: Iterable[Data]) -> None:
        """Carry out every action at one instant; after an error no device has changed."""
        run(self.commands.transaction(self.client, Transaction(tuple(map(_typed, actions)))))

    def snapshot(
        self, device: str, snapshot_file: str, format: str = "qcow2", mode: Mode | None = None
    ) -> None:
        """Put a new overlay on one device (`blockdev-snapshot-sync`)."""
        run(self.commands.snapshot(self.client, SnapshotSync(device, snapshot_file, format, mode)))

    def mirror(
        self,
        device: str,
        target: str,
        sync: Sync = Sync.FULL,
        *,
        format: str | None = None,
        mode: Mode | None = None,
        on_source_error: OnError = OnError.REPORT,
        on_target_error: OnError = OnError.REPORT,
    ) -> None:
        """Start a mirror job (`drive-mirror`); nothing is copied before `run_jobs`."""
        wanted = DriveMirrorJob(device, target, sync, format, mode, on_source_error, on_target_error)
        run(self.commands.mirror(self.client, wanted))

    def run_jobs(self) -> None:
        """Step every job until each is ready, paused or gone."""
        run_jobs(self.machine)

    def complete(self, device: str) -> None:
        """Ask for the switch to the target of a mirror that is ready; `run_jobs` carries it out."""
        run(self.commands.complete(self.client, OfJob(device)))

    def cancel(self, device: str, *, force: bool = False) -> None:
        """Ask a job to end; `run_jobs` carries it out."""
        run(self.commands.cancel(self.client, CancelJob(device, force)))

    def pause(self, device: str) -> None:
        """Let a job rest."""
        run(self.commands.pause(self.client, OfJob(device)))

    def resume(self, device: str) -> None:
        """Let a job go on that was paused, by a client or by an error."""
        run(self.commands.resume(self.client, OfJob(device)))

    def jobs(self) -> object:
        """Return what `query-block-jobs` answers."""
        return run(self.commands.query_jobs(self.client, NoArguments()))

    def resize(self, device: str, size: int) -> None:
        """Let the disk of one device grow to *size* bytes (`block_resize`)."""
        run(block_resize(self.machine, self.profile, BlockResize(device, size)))


def _typed(action: Data) -> TransactionAction:
    return TransactionAction("abort" if isinstance(action, Abort) else "blockdev-snapshot-sync", action)
