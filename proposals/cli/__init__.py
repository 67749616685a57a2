"""The command line: `blockops compare`, `replay` and `list`.

__init__   where it starts         program  the commands together
compare    the main job            replay   one case again         listing  what there is
choice     from arguments to settings
screen     progress                folder   where reports go       exits      how it ends
"""

import io
import sys
from collections.abc import Sequence

from proposals.cli.exits import guarded


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program on *arguments*, by default the process's own, and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no "✓" shows "?"

    def run() -> int:
        # In here, so that a Ctrl-C while everything is imported ends as any other.
        from proposals.cli.program import program  # noqa: PLC0415

        code = program.main(args=arguments, prog_name="blockops", standalone_mode=False)
        return code if isinstance(code, int) else 0

    return guarded(run)
