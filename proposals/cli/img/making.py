"""The verbs that make an image: `create` and `convert`."""

from contextlib import ExitStack
from typing import Any

import attrs
import click

from blockops.errors import InvalidRequest
from blockops.host.posix import PosixFolder
from blockops.img.convert import convert, convert_into
from blockops.img.copying import Copying
from blockops.img.create import create
from blockops.img.opening import Chain, open_chain
from blockops.img.options import HELP, ImageOptions, parse_options
from blockops.img.snapshots import at_snapshot
from proposals.cli.img import arguments
from proposals.cli.img.human import formatting_line
from proposals.cli.img.progress import progress

CREATE = """Create a disk image.

SIZE is in bytes, or has a suffix k, M, G, T, P or E.  Over a backing file it may be left out.

\b
Examples:
  blockops img create -f qcow2 disk.qcow2 10G
  blockops img create -f qcow2 -b disk.qcow2 -F qcow2 overlay.qcow2
  blockops img create -f qcow2 -o help
"""

CONVERT = """Copy an image, or several behind each other, into a new one.

Zeros and holes of the source are not written.  The new image gets its name
when it is complete: what fails leaves what was there before.

\b
Examples:
  blockops img convert -O qcow2 disk.raw disk.qcow2
  blockops img convert -c -p -O qcow2 overlay.qcow2 flat.qcow2
  blockops img convert -O qcow2 -B base.qcow2 -F qcow2 overlay.qcow2 copy.qcow2
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


@click.command("convert", help=CONVERT, short_help="A copy of an image, in any format.")
@arguments.with_all(
    click.argument("filenames", metavar="FILE… TARGET", nargs=-1),
    arguments.first_format,
    arguments.image_format("-O", "output_format", "The target's format; raw if not given."),
    arguments.options,
    click.option("-B", "backing_file", metavar="FILE", help="Copy only what is above it, over this image."),
    arguments.backing_format,
    click.option("-l", "snapshot", metavar="SNAPSHOT", help="As it was at this internal snapshot."),
    click.option("-c", "compress", is_flag=True, help="Compress the clusters (qcow2)."),
    click.option(
        "-S", "sparse", type=arguments.SIZE, default=4096, help="So many zeros are a hole; 0: there is none."
    ),
    click.option("-n", "into", is_flag=True, help="Copy into a target that is there."),
    click.option("--target-is-zero", "zeroed", is_flag=True, help="With -n: it reads as zeros."),
    arguments.cache,
    click.option("-W", "any_order", is_flag=True, help="Has no effect: a copy is written in order."),
    click.option("-m", "at_once", type=click.IntRange(1, 16), help="Has no effect: one request at a time."),
    arguments.progress,
    arguments.quiet,
    arguments.force_share,
)
def convert_verb(
    filenames: tuple[str, ...],
    format: str | None,
    output_format: str | None,
    options: tuple[str, ...],
    into: bool,
    cache: str | None,
    show: bool,
    quiet: bool,
    force_share: bool,
    **rest: Any,
) -> int:
    """Copy images, and say how far it is where somebody wants to know."""
    known = output_format or "raw"
    if arguments.asks_for_help(options):
        print_options(known)
        return 0
    if len(filenames) < 2:
        raise click.UsageError("Missing argument 'TARGET'.")
    *sources, target = filenames
    wanted = merged(target, parse_options(options, known), None, rest["backing_file"], rest["backing_format"])
    how = Copying(rest["sparse"], rest["compress"], cache not in (None, "unsafe"), rest["zeroed"])
    _refuse_together(target, options, wanted, into=into, zeroed=how.zeroed)
    folder = PosixFolder(".")
    with ExitStack() as stack:
        chains: list[Chain] = [
            stack.enter_context(open_chain(folder, name, format, force_share=force_share)) for name in sources
        ]
        if rest["snapshot"] is not None:
            chains = [stack.enter_context(at_snapshot(folder, chain, rest["snapshot"])) for chain in chains]
        tell = stack.enter_context(progress(asked=show and not quiet, quiet=quiet))
        if into:
            convert_into(folder, chains, target, known, how, tell)
        else:
            convert(folder, chains, target, known, wanted, how, tell)
    return 0


def _refuse_together(
    target: str, options: tuple[str, ...], wanted: ImageOptions, *, into: bool, zeroed: bool
) -> None:
    if into and options:
        raise InvalidRequest(target, "-o describes a new image, and -n says that there is none")
    if into and wanted.backing_file is not None:
        raise InvalidRequest(target, "-B describes a new image, and -n says that there is none")
    if zeroed and not into:
        raise InvalidRequest(target, "--target-is-zero is for a target that is there: -n")
