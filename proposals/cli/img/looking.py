"""The verbs that only look: `info`, `check`, `map` and `compare`."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import click

from blockops.host.posix import PosixFolder
from blockops.img.checking import Ending, ImageCheck, check_image, repair_image
from blockops.img.compare import Comparison, ComparisonFailed, Difference, compare
from blockops.img.extents import Extent, extents
from blockops.img.info import backing_chain, info
from blockops.img.opening import Layer, open_chain
from proposals.cli.img import arguments
from proposals.cli.img.ending import Refused
from proposals.cli.img.human import MAP_HEAD, check_lines, info_lines, map_line
from proposals.cli.img.progress import progress

INFO = """Print what an image says of itself.

\b
Examples:
  blockops img info disk.qcow2
  blockops img info --backing-chain --output json overlay.qcow2
"""

CHECK = """Check an image's reference counts and tables, and repair them where asked to.

\b
Exit codes:
  0   nothing is wrong
  1   the check could not be completed
  2   the image is corrupt
  3   clusters are leaked, nothing else
  63  the format has nothing to check
"""

MAP = """Print where the guest's data is: in which image of the chain, at which offset.

For people the stretches that hold data, as JSON all of them.

\b
Examples:
  blockops img map disk.qcow2
  blockops img map --output json --start-offset 1G --max-length 64M disk.qcow2
"""

COMPARE = """Compare what two images show a guest.

\b
Exit codes:
  0  they are identical
  1  they differ (or the usage is wrong)
  2  one of them cannot be opened
  3  what is allocated in them cannot be found out
  4  one of them cannot be read
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
    click.option(
        "-r",
        "repair",
        type=click.Choice(["leaks", "all"]),
        help="Repair: free leaked clusters, or make all counts and flags right.",
    ),
    arguments.quiet,
    arguments.force_share,
)
def check_verb(
    filename: str, format: str | None, output: str, repair: str | None, quiet: bool, force_share: bool
) -> int:
    """Check an image, print what was found, and end as qemu-img does."""
    folder = PosixFolder(".")
    if repair is None:
        found = check_image(folder, filename, format, force_share=force_share)
    else:
        found = repair_image(folder, filename, format, leaks_only=repair == "leaks")
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
    if found.unrepaired is not None:
        click.echo(f"not repaired: {found.unrepaired}", err=True)
    if output == "json":
        print_json(found.as_json())
    else:
        click.echo("\n".join(check_lines(found)))


@click.command("map", help=MAP, short_help="Where an image's data is.")
@arguments.with_all(
    arguments.filename,
    arguments.first_format,
    arguments.output,
    click.option(
        "--start-offset", "start", type=arguments.SIZE, default=0, help="From this byte of the disk on."
    ),
    click.option("--max-length", "length", type=arguments.SIZE, help="Only so many bytes of it."),
    arguments.force_share,
)
def map_verb(
    filename: str, format: str | None, output: str, start: int, length: int | None, force_share: bool
) -> int:
    """Print a line for each extent while the tables are read, so that no map is too long for memory."""
    with open_chain(PosixFolder("."), filename, format, force_share=force_share) as chain:
        end = None if length is None else start + length
        found = extents(chain, start, end)
        lines = _json_lines(found, start) if output == "json" else _human_lines(found, chain.layers)
        for line in lines:
            click.echo(line)
    return 0


def _json_lines(found: Iterator[Extent], start: int) -> Iterator[str]:
    """Yield the lines of one array, an object a line; if an error ends them the array stays open."""
    # Where there is nothing, qemu-img tells of an extent that has no length.
    before = next(found, Extent(start, 0, 0, False, False, False, None))
    opening = "["
    for extent in found:
        yield f"{opening}{_object(before)},"
        before, opening = extent, ""
    yield f"{opening}{_object(before)}]"


def _object(extent: Extent) -> str:
    return json.dumps(extent.as_json()).replace("{", "{ ")


def _human_lines(found: Iterator[Extent], layers: Sequence[Layer]) -> Iterator[str]:
    yield MAP_HEAD
    for extent in found:
        if extent.data and not extent.zero:
            if extent.offset is None:
                raise Refused("the image has compressed clusters, whose place only --output json can tell")
            yield map_line(extent, layers[extent.depth].data_filename)


@click.command("compare", help=COMPARE, short_help="Whether two images are identical.")
@arguments.with_all(
    click.argument("one", metavar="FILE1"),
    click.argument("other", metavar="FILE2"),
    arguments.image_format("-f", "format", "The format of the first image; found out if not given."),
    arguments.image_format("-F", "other_format", "That of the second one."),
    click.option(
        "-s", "strict", is_flag=True, help="Their sizes and what is allocated have to be equal, too."
    ),
    arguments.progress,
    arguments.quiet,
    arguments.force_share,
)
def compare_verb(
    one: str,
    other: str,
    format: str | None,
    other_format: str | None,
    strict: bool,
    show: bool,
    quiet: bool,
    force_share: bool,
) -> int:
    """Compare two images, say what was found, and end as qemu-img does."""
    folder = PosixFolder(".")
    with (
        open_chain(folder, one, format, force_share=force_share) as left,
        open_chain(folder, other, other_format, force_share=force_share) as right,
        progress(asked=show, quiet=quiet) as tell,
    ):
        try:
            found = compare(left, right, strict=strict, progress=tell)
        except ComparisonFailed as error:
            raise Refused(error.message, error.stage) from error
    if not quiet:
        for sentence in _compared(found):
            click.echo(sentence)
    return 0 if found.difference is None else 1


def _compared(found: Comparison) -> Iterator[str]:
    if found.sizes_differ and found.difference is not Difference.SIZE:
        yield "Warning: Image size mismatch!"
    match found.difference:
        case Difference.SIZE:
            yield "Strict mode: Image size mismatch!"
        case Difference.STATUS:
            yield f"Strict mode: Offset {found.offset} block status mismatch!"
        case Difference.CONTENT:
            yield f"Content mismatch at offset {found.offset}!"
        case None:
            yield "Images are identical."


def print_json(value: Any) -> None:
    """Print JSON as qemu-img does: four spaces a level, names that are no text with a sign in their place."""
    click.echo(json.dumps(value, indent=4))
