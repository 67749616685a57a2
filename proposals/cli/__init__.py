"""The command line: `blockops compare`, `replay`, `explain`, `report`, `claims`, `bench`, `list` and `img`.

__init__   where it starts       program    the commands together
compare    the main job          report     its reports again, out of a store
replay     one case again        explain    why a case breaks what it breaks
keep       a case's images as real files
listing    what there is         claims     the page's claims
choice     from arguments to settings       screen     progress
stored     what a run has found, kept       folder     where reports go
earlier    the run to be compared with        cluster    other machines' workers
bench      how fast the lab and the image core are
publishing what a run ends with             exits      how it ends
img        disk images, by the verbs of qemu-img
"""

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program on *arguments*, by default the process's own, and return its exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:  # what everything imports takes tenths of a second, in which somebody may press Ctrl-C
        if given[:1] == ["img"]:  # needs nothing of the lab, and ends with codes of its own
            from proposals.cli.img import start as start_img  # noqa: PLC0415

            return start_img(given[1:])
        from proposals.cli.program import start  # noqa: PLC0415
    except KeyboardInterrupt:
        sys.stderr.write("blockops: interrupted\n")
        return 2  # exits.Exit.INTERRUPTED, which may not be imported yet
    return start(given)
