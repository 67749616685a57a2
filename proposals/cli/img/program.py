"""The verbs together, and their help."""

import click

from proposals.cli.img.changing import commit_verb, rebase_verb, resize_verb, snapshot_verb
from proposals.cli.img.looking import check_verb, compare_verb, info_verb, map_verb
from proposals.cli.img.making import convert_verb, create_verb
from proposals.cli.img.measuring import bench_verb

HELP = """Look at disk images and change them: the verbs, options and exit codes of qemu-img.

\b
Examples:
  blockops img info --backing-chain disk.qcow2
  blockops img check --output json disk.qcow2
  blockops img map disk.qcow2
  blockops img create -f qcow2 -b disk.qcow2 -F qcow2 overlay.qcow2
  blockops img convert -p -O raw overlay.qcow2 copy.raw
  blockops img compare disk.qcow2 copy.raw
"""


@click.group(
    "img",
    help=HELP,
    short_help="Look at disk images and change them, as qemu-img does.",
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 it failed; check: 2 corrupt, 3 leaks, 63 nothing to check; "
    "compare: 1 the images differ, 2 to 4 it failed.",
)
def img_command() -> None:
    """Hold the verbs together."""


img_command.add_command(info_verb)
img_command.add_command(check_verb)
img_command.add_command(map_verb)
img_command.add_command(compare_verb)
img_command.add_command(create_verb)
img_command.add_command(convert_verb)
img_command.add_command(resize_verb)
img_command.add_command(rebase_verb)
img_command.add_command(commit_verb)
img_command.add_command(snapshot_verb)
img_command.add_command(bench_verb)
