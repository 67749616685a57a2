"""The header in use: the one place from which everything else is found, changed one sector at a time."""

from typing import Any

import attrs

from blockops.qcow2.durable import DurableFile
from blockops.qcow2.header import Header, encode_fields


class Anchor:
    """The current header of an open image and its copy in the file."""

    def __init__(self, file: DurableFile, header: Header) -> None:
        self._file = file
        self.header = header

    def update(self, **changes: Any) -> None:
        """Change fields of the header, in the file first; not durable yet.

        All fixed fields lie in the first sector, so the change is seen whole or not at all.  Raises
        `HostError`; then the file may hold either header and *header* is still the old one.
        """
        changed = attrs.evolve(self.header, **changes)
        self._file.write(0, encode_fields(changed))
        self.header = changed
