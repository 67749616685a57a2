"""What the three commands of its own take: nothing.

`blockdev-snapshot-sync`, `drive-reopen` and `drive-mirror` take inside what they take outside.
"""

import attrs


@attrs.frozen
class StartTransaction:
    """Arguments of `blockdev-start-transaction`: none."""


@attrs.frozen
class CommitTransaction:
    """Arguments of `blockdev-commit-transaction`: none."""


@attrs.frozen
class AbortTransaction:
    """Arguments of `blockdev-abort-transaction`: none."""
