"""The verbs that only look: `info` and `check`."""

import json
from typing import Any

import click

from blockops.host.posix import PosixFolder
from blockops.img.checking import Ending, ImageCheck, check_image
from blockops.img.info import backing_chain, info
from proposals.cli.img import arguments
from proposals.cli.img.ending import Refused
from proposals.cli.img.human import check_lines, info_lines

INFO = """Print what an image says of itself.

\b
Examples:
  blockops img info disk.qcow2
  blockops img info --backing-chain --output json overlay.qcow2
"""

CHECK = """Check an image's reference counts and tables.

\b
Exit codes:
  0   nothing is wrong
  1   the check could not be completed
  2   the image is corrupt
  3   clusters are leaked, nothing else
  63  the format has nothing to check
"""


@click.command("info", help=INFO, short_help="What an image says of itself.")
@arguments.with_all(
    arguments.filename,
    arguments.first_format,
    arguments.output,
    click.option("--backing-chain", "chain", is_flag=True, help="Go on with every image below it."),
    arguments.force_share,
)
def info_verb(filename: str, format: str | None, output: str, chain: bool, force_share: bool) -> int:
    """Print the facts of an image, or of a whole chain."""
    folder = PosixFolder(".")
    if chain:
        found = list(backing_chain(folder, filename, format, force_share=force_share))
    else:
        found = [info(folder, filename, format, force_share=force_share)]
    if output == "json":
        print_json([one.as_json() for one in found] if chain else found[0].as_json())
    else:
        click.echo("\n\n".join("\n".join(info_lines(one)) for one in found))
    return 0


@click.command("check", help=CHECK, short_help="Whether an image is sound.")
@arguments.with_all(
    arguments.filename,
    arguments.first_format,
    arguments.output,
    arguments.quiet,
    arguments.force_share,
)
def check_verb(filename: str, format: str | None, output: str, quiet: bool, force_share: bool) -> int:
    """Check an image, print what was found, and end as qemu-img does."""
    found = check_image(PosixFolder("."), filename, format, force_share=force_share)
    if found.ending is Ending.NOT_SUPPORTED:
        raise Refused(f"{filename}: the format {found.format} has nothing to check", found.ending)
    if not quiet:
        _print_check(found, output)
    return found.ending


def _print_check(found: ImageCheck, output: str) -> None:
    for finding in found.corruptions:
        click.echo(f"corruption: {finding}", err=True)
    for finding in found.leaks:
        click.echo(f"leak: {finding}", err=True)
    if output == "json":
        print_json(found.as_json())
    else:
        click.echo("\n".join(check_lines(found)))


def print_json(value: Any) -> None:
    """Print JSON as qemu-img does: four spaces a level, names that are no text with a sign in their place."""
    click.echo(json.dumps(value, indent=4))
