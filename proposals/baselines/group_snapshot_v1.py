"""group-snapshot-v1: the first posting of the group snapshot, before there was a pivot.

Source: semantics.md, section 1.  Create every overlay, drain, then close and reopen one device after
the other, which can fail midway; the rollback reopens the originals and can fail again.  The error is
the first one only (our choice).  There is no hardened form: that is the group snapshot as merged.
"""

from collections.abc import Mapping

import attrs

from blockops.commands.action import commit_all
from blockops.commands.exchange import Exchange
from blockops.commands.profile import Profile
from blockops.commands.snapshot import SnapshotSync, create_for, flush_ignoring_errors
from blockops.device import drain, resume
from blockops.machine import Machine
from blockops.qmp.command import Client, Command, Event, by_name
from blockops.qmp.shared import plain_snapshot, query_command
from blockops.steps import Steps


@attrs.frozen
class GroupSnapshotSync:
    """Arguments of `blkdev-group-snapshot-sync`."""

    devlist: tuple[SnapshotSync, ...]


@attrs.define(eq=False)
class GroupSnapshotV1Commands:
    """The first posting over one machine; *profile* must be as-posted."""

    machine: Machine
    profile: Profile = attrs.field(
        default=Profile.AS_POSTED, validator=attrs.validators.in_([Profile.AS_POSTED])
    )
    events: list[Event] = attrs.field(factory=list)

    @property
    def commands(self) -> Mapping[str, Command]:
        return by_name(
            Command(
                "blkdev-group-snapshot-sync",
                GroupSnapshotSync,
                self.group_snapshot,
                "Create overlays for several devices, then reopen one device after the other.",
                "patch",
                aliases=("blockdev-group-snapshot-sync",),
                extensions=("devlist[].mode",),
            ),
            plain_snapshot(self.machine, self.profile),
            query_command(self.machine),
        )

    def group_snapshot(self, client: Client, wanted: GroupSnapshotSync) -> Steps[None]:
        """Create all, then switch each; after an error devices may be dead, and overlays stay."""
        for entry in wanted.devlist:
            yield from create_for(self.machine, entry)
        held = list(self.machine.devices.values())
        try:
            yield from drain(held)
            for entry in wanted.devlist:
                yield from flush_ignoring_errors(self.machine, entry.device)
            yield from commit_all(self.machine, [self._exchange(entry) for entry in wanted.devlist])
        finally:
            resume(held)

    def disconnected(self, client: Client) -> Steps[None]:
        """Nothing: no command leaves anything open."""
        yield from ()

    def _exchange(self, entry: SnapshotSync) -> Exchange:
        return Exchange(self.machine, entry.device, entry.snapshot_file, entry.format)
