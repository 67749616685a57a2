"""The verb that makes an image: `create`."""

import attrs
import click

from blockops.errors import InvalidRequest
from blockops.host.posix import PosixFolder
from blockops.img.create import create
from blockops.img.options import HELP, ImageOptions, parse_options
from proposals.cli.img import arguments
from proposals.cli.img.human import formatting_line

CREATE = """Create a disk image.

SIZE is in bytes, or has a suffix k, M, G, T, P or E.  Over a backing file it may be left out.

\b
Examples:
  blockops img create -f qcow2 disk.qcow2 10G
  blockops img create -f qcow2 -b disk.qcow2 -F qcow2 overlay.qcow2
  blockops img create -f qcow2 -o help
"""


@click.command("create", help=CREATE, short_help="A new image.")
@arguments.with_all(
    click.argument("filename", metavar="FILE", required=False),
    click.argument("size", metavar="[SIZE]", required=False, type=arguments.SIZE),
    arguments.image_format("-f", "format", "The new image's format; raw if not given."),
    arguments.options,
    arguments.backing_file,
    arguments.backing_format,
    click.option("-u", "unsafe", is_flag=True, help="Do not look whether the backing file is there."),
    arguments.quiet,
)
def create_verb(
    filename: str | None,
    size: int | None,
    format: str | None,
    options: tuple[str, ...],
    backing_file: str | None,
    backing_format: str | None,
    unsafe: bool,
    quiet: bool,
) -> int:
    """Create an image and say what it is like."""
    known = format or "raw"
    if arguments.asks_for_help(options):
        print_options(known)
        return 0
    if filename is None:
        raise click.UsageError("Missing argument 'FILE'.")
    wanted = merged(filename, parse_options(options, known), size, backing_file, backing_format)
    made = create(PosixFolder("."), filename, known, wanted, unsafe=unsafe)
    if not quiet:
        click.echo(formatting_line(filename, known, made))
    return 0


def merged(
    filename: str, options: ImageOptions, size: int | None, backing: str | None, format: str | None
) -> ImageOptions:
    """Return *options* with what has letters of its own, which come before what was said after `-o`."""
    if size is not None and options.size is not None:
        raise InvalidRequest(filename, "its size can be given only once")
    return attrs.evolve(
        options,
        size=options.size if size is None else size,
        backing_file=options.backing_file if backing is None else backing,
        backing_format=options.backing_format if format is None else format,
    )


def print_options(format: str) -> None:
    """Print a line for each option of a format."""
    click.echo(f"Supported {format} options:")
    for name, says in HELP[format].items():
        click.echo(f"  {name:<18} {says}")
