"""Defects that only show once a fault of the host is over, or when a second one follows."""

from tests.quality.bugs_commands import ERRORS, reservation_kept
from tests.quality.planting import Bug, where

BUGS = (
    Bug(
        "after a failed command the device is reserved for ever",
        "lab.md, law progress",
        where("transaction.hardened.careful", "group-snapshot", *ERRORS),
        "progress",
        reservation_kept,
    ),
)
