"""The program: its commands together, their help, and what it is called."""

import io
import sys
from collections.abc import Sequence
from importlib.metadata import version

import click

from blockops.lab.plugins import plugged_in
from proposals.cli.bench import bench_commands
from proposals.cli.claims import claims_command
from proposals.cli.compare import compare_command
from proposals.cli.exits import guarded
from proposals.cli.explain import explain_command
from proposals.cli.img.program import img_command
from proposals.cli.listing import list_command
from proposals.cli.replay import replay_command
from proposals.cli.report import report_command

HELP = """Break designs for changing several disks at once, and compare what each leaves behind.

\b
Examples:
  blockops compare
  blockops compare --contestant freeze --use-case group-snapshot --devices 2
  blockops compare --image root.qcow2 --image data.qcow2
  blockops replay freeze.as-posted.careful/group-snapshot-2/eio@17
  blockops explain freeze.as-posted.careful/group-snapshot-2/eio@17
  blockops claims A1
  blockops list contestants
  blockops img info disk.qcow2
"""


@click.group(
    help=HELP,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 it ran (violations are findings), 1 --fail-on new: there are violations that the "
    "baseline does not have, 2 interrupted or inconclusive, 3 internal error, "
    "4 usage or unusable input, 5 the output cannot be written; those of img are qemu-img's.",
)
@click.version_option(version("blockops"), "-V", "--version", message="blockops %(version)s")
def program() -> None:
    """Hold the commands together; what other packages bring is known before any option is read."""
    plugged_in()


program.add_command(compare_command)
program.add_command(replay_command)
program.add_command(explain_command)
program.add_command(report_command)
program.add_command(list_command)
program.add_command(claims_command)
program.add_command(bench_commands)
program.add_command(img_command)  # for the help alone: `proposals.cli.main` runs it


def start(arguments: Sequence[str] | None) -> int:
    """Run the program on *arguments*, by default the process's own, and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no "✓" shows "?"

    def run() -> int:
        code = program.main(args=arguments, prog_name="blockops", standalone_mode=False)
        return code if isinstance(code, int) else 0

    return guarded(run)
