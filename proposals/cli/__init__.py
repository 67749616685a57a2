"""The command line: `blockops compare`, `replay`, `explain`, `report`, `claims`, `bench` and `list`.

__init__   where it starts       program    the commands together
compare    the main job          report     its reports again, out of a store
replay     one case again        explain    why a case breaks what it breaks
keep       a case's images as real files
listing    what there is         claims     the page's claims
choice     from arguments to settings       screen     progress
stored     what a run has found, kept       folder     where reports go
earlier    the run to be compared with        cluster    other machines' workers
bench      how fast the lab is
publishing what a run ends with             exits      how it ends
"""

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program on *arguments*, by default the process's own, and return its exit code."""
    try:  # what everything imports takes tenths of a second, in which somebody may press Ctrl-C
        from proposals.cli.program import start  # noqa: PLC0415
    except KeyboardInterrupt:
        sys.stderr.write("blockops: interrupted\n")
        return 2  # exits.Exit.INTERRUPTED, which may not be imported yet
    return start(arguments)
