"""What `transaction` takes: a list of actions, each with its type and the arguments of that type.

The other commands' arguments are the shared ones (`blockops.commands`).
"""

from collections.abc import Mapping
from typing import ClassVar, TypeAlias

import attrs

from blockops.commands.snapshot import SnapshotSync
from blockops.qmp.schema import OneOf


@attrs.frozen
class Abort:
    """The action that always fails, to try a roll-back out (later QEMU's; no arguments)."""


Data: TypeAlias = SnapshotSync | Abort


@attrs.frozen
class TransactionAction(OneOf):
    """One action: *type* says what *data* is."""

    variants: ClassVar[Mapping[str, type]] = {"blockdev-snapshot-sync": SnapshotSync, "abort": Abort}
    type: str
    data: Data


@attrs.frozen
class Transaction:
    """Arguments of `transaction`; an empty list succeeds."""

    actions: tuple[TransactionAction, ...]
