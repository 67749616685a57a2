"""Group snapshot (Jeff Cody): one command puts new overlays on several devices, or on none."""

from proposals.group_snapshot.api import GroupSnapshot
from proposals.group_snapshot.arguments import GroupSnapshotSync, SnapshotDev
from proposals.group_snapshot.commands import GroupSnapshotCommands

__all__ = ["GroupSnapshot", "GroupSnapshotCommands", "GroupSnapshotSync", "SnapshotDev"]
