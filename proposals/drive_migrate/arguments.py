"""What `drive-migrate` takes; of `drive-reopen` see `blockops.commands.reopen`.

Members as the page spells them: `device`, `dest`, `dest-format` (optional), `new-source`,
`source-format` (optional).  Only this signature survives; what the command does is our choice, supported
by oVirt's stub of March 2012.
"""

import attrs

from blockops.commands.profile import Mode


@attrs.frozen
class DriveMigrate:
    """Arguments of `drive-migrate`; formats are probed where absent (our choice, as drive-reopen's code).

    *mode* is an extension: without it both images must exist; absolute-paths makes both first, as
    overlays over the current image (our choice).
    """

    device: str
    dest: str
    new_source: str
    dest_format: str | None = None
    source_format: str | None = None
    mode: Mode | None = None
