"""`blkdev-group-snapshot-sync`: prepare an overlay for every device of a list, then pivot them all.

Source: semantics.md, section 1, as merged on 29 February 2012.  As-posted everything happens while the
whole machine is drained, and a failure leaves every file that it made.  Hardened prepares while the
guest runs, drains only for flush and pivot, and removes what it made.
"""

from collections.abc import Mapping

import attrs

from blockops.commands.action import Action, commit_all, prepare_all, switch_all
from blockops.commands.profile import Profile
from blockops.commands.snapshot import refuse_repetitions, snapshot_action
from blockops.device import drain, resume
from blockops.machine import Machine
from blockops.qmp.command import Client, Command, Event, by_name
from blockops.qmp.shared import plain_resize, plain_snapshot, query_command
from blockops.steps import Steps
from proposals.group_snapshot.arguments import GroupSnapshotSync


@attrs.define(eq=False)
class GroupSnapshotCommands:
    """The proposal over one machine."""

    machine: Machine
    profile: Profile
    events: list[Event] = attrs.field(factory=list)

    @property
    def commands(self) -> Mapping[str, Command]:
        return by_name(
            Command(
                "blkdev-group-snapshot-sync",
                GroupSnapshotSync,
                self.group_snapshot,
                "Put new overlays on several devices at one instant, or on none.",
                "page",
                aliases=("blockdev-group-snapshot-sync",),
                extensions=("devlist[].mode",),
            ),
            plain_snapshot(self.machine, self.profile),
            plain_resize(self.machine, self.profile),
            query_command(self.machine),
        )

    def group_snapshot(self, client: Client, wanted: GroupSnapshotSync) -> Steps[None]:
        """Put every overlay of the list on its device.

        After an error no device has changed, and the error is the first one only.
        """
        if self.profile is Profile.AS_POSTED:
            yield from self._as_merged(wanted)
        else:
            yield from self._hardened(wanted)

    def disconnected(self, client: Client) -> Steps[None]:
        """Nothing: no command leaves anything open."""
        yield from ()

    def _as_merged(self, wanted: GroupSnapshotSync) -> Steps[None]:
        actions = self._actions(wanted)
        held = list(self.machine.devices.values())
        try:
            yield from drain(held)
            yield from prepare_all(actions)
            yield from commit_all(self.machine, actions)
        finally:
            resume(held)

    def _hardened(self, wanted: GroupSnapshotSync) -> Steps[None]:
        refuse_repetitions(self.machine, wanted.devlist)
        actions = self._actions(wanted)
        yield from prepare_all(actions)
        yield from switch_all(self.machine, self.machine.devices.values(), actions)

    def _actions(self, wanted: GroupSnapshotSync) -> list[Action]:
        as_posted = self.profile is Profile.AS_POSTED
        return [
            snapshot_action(self.machine, self.profile, entry, flushes=as_posted) for entry in wanted.devlist
        ]
