"""The header in use: the one place from which everything else is found, changed one sector at a time."""

from typing import Any

import attrs

from blockops.qcow2.durable import DurableFile
from blockops.qcow2.features import DATA_FILE_RAW
from blockops.qcow2.header import DATA_FILE, Header, encode_fields


class Anchor:
    """The current header of an open image and its copy in the file; a stage of every flush.

    All fixed fields lie in the first sector, so a change of them is seen whole or not at all.
    """

    def __init__(self, file: DurableFile, header: Header) -> None:
        self._file = file
        self.header = header
        self.dirty = False

    def update(self, **changes: Any) -> None:
        """Change fields of the header, in the file first; not durable yet.

        After a `HostError` *header* is the old one, and the file holds either until the next flush.
        """
        self._file.claim()
        changed = attrs.evolve(self.header, **changes)
        self.dirty = True
        self._file.write(0, encode_fields(changed))
        self.header = changed
        self.dirty = False

    def clear_autoclear(self) -> None:
        """Clear, durably, the autoclear bits of what somebody who writes here does not keep right.

        Specification: "autoclear_features".  After that nobody believes in persistent bitmaps any more.
        """
        kept = DATA_FILE_RAW if self.header.incompatible & DATA_FILE else 0
        if self.header.autoclear & ~kept:
            self.update(autoclear=self.header.autoclear & kept)
            self._file.flush()

    def revert(self, **changes: Any) -> None:
        """Take back changes without touching the file, which follows with the next flush."""
        self.header = attrs.evolve(self.header, **changes)
        self.dirty = True

    def write_back(self) -> None:
        """Write the header where the file may hold another one."""
        if self.dirty:
            self.update()
