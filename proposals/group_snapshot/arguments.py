"""What `blkdev-group-snapshot-sync` takes: `devlist`, a list of the page's type SnapshotDev.

An entry has `device`, `snapshot-file` and an optional `format`: what `blockdev-snapshot-sync` takes for
one device, the extension `mode` included.
"""

import attrs

from blockops.commands.snapshot import SnapshotSync as SnapshotDev

__all__ = ["GroupSnapshotSync", "SnapshotDev"]


@attrs.frozen
class GroupSnapshotSync:
    """Arguments of `blkdev-group-snapshot-sync`; an empty list succeeds."""

    devlist: tuple[SnapshotDev, ...]
