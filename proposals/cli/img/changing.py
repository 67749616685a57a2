"""The verbs that change images: `resize`, `rebase`, `commit` and `snapshot`."""

import time

import click

from blockops.host.posix import PosixFolder
from blockops.img.commit import commit
from blockops.img.rebase import rebase
from blockops.img.resize import resize
from blockops.img.sizes import parse_size
from blockops.img.snapshots import delete, go_back, listed, take
from proposals.cli.img import arguments
from proposals.cli.img.human import snapshot_lines
from proposals.cli.img.progress import progress

RESIZE = """Make an image's disk longer, or, with --shrink, shorter.

SIZE is in bytes or has a suffix; with + or - before it, it is a difference.

\b
Examples:
  blockops img resize disk.qcow2 +10G
  blockops img resize --shrink disk.qcow2 20G
"""

REBASE = """Hang an image over another backing file; an empty name means none.

What the new backing file shows differently is copied into the image first.

\b
Examples:
  blockops img rebase -b new-base.qcow2 -F qcow2 overlay.qcow2
  blockops img rebase -b "" overlay.qcow2
  blockops img rebase -u -b renamed.qcow2 -F qcow2 overlay.qcow2
"""

COMMIT = """Write what an overlay holds into its backing file, then empty the overlay.

\b
Examples:
  blockops img commit overlay.qcow2
  blockops img commit -b base.qcow2 overlay.qcow2
"""

SNAPSHOT = """List, take, go back to or delete internal snapshots.

\b
Examples:
  blockops img snapshot -c before disk.qcow2
  blockops img snapshot -l disk.qcow2
  blockops img snapshot -a before disk.qcow2
"""


# "-1G" is a size here and no option.
@click.command(
    "resize",
    help=RESIZE,
    short_help="A longer or shorter disk.",
    context_settings={"ignore_unknown_options": True},
)
@arguments.with_all(
    arguments.filename,
    click.argument("size", metavar="[+|-]SIZE"),
    arguments.first_format,
    click.option("--shrink", is_flag=True, help="It may become shorter: what is behind its end is lost."),
    click.option("--preallocation", type=click.Choice(["off"]), help="What is new is not allocated."),
    arguments.quiet,
)
def resize_verb(
    filename: str, size: str, format: str | None, shrink: bool, preallocation: str | None, quiet: bool
) -> int:
    """Resize an image and say so."""
    number = parse_size(size.removeprefix("+").removeprefix("-") if size[:1] in ("+", "-") else size)
    relative, signed = size[:1] in ("+", "-"), -number if size.startswith("-") else number
    resize(PosixFolder("."), filename, signed, format, relative=relative, shrink=shrink)
    if not quiet:
        click.echo("Image resized.")
    return 0


@click.command("rebase", help=REBASE, short_help="Another backing file.")
@arguments.with_all(
    arguments.filename,
    click.option("-b", "backing_file", metavar="FILE", help="The new image below; empty for none."),
    arguments.backing_format,
    arguments.first_format,
    click.option("-u", "unsafe", is_flag=True, help="Change the name alone: both show the same."),
    arguments.progress,
    arguments.quiet,
)
def rebase_verb(
    filename: str,
    backing_file: str | None,
    backing_format: str | None,
    format: str | None,
    unsafe: bool,
    show: bool,
    quiet: bool,
) -> int:
    """Rebase an image, silently."""
    if backing_file is None and not unsafe:
        raise click.UsageError("Missing option '-b' (or '-u', which without '-b' means no backing file).")
    with progress(asked=show and not quiet, quiet=quiet) as tell:
        rebase(PosixFolder("."), filename, backing_file, backing_format, format, unsafe=unsafe, progress=tell)
    return 0


@click.command("commit", help=COMMIT, short_help="An overlay into its backing file.")
@arguments.with_all(
    arguments.filename,
    arguments.first_format,
    click.option(
        "-b", "base", metavar="FILE", help="An image of the chain to write to; the overlay is kept."
    ),
    click.option("-d", "keep", is_flag=True, help="Do not empty the overlay."),
    arguments.progress,
    arguments.quiet,
)
def commit_verb(
    filename: str, format: str | None, base: str | None, keep: bool, show: bool, quiet: bool
) -> int:
    """Commit an overlay and say so."""
    with progress(asked=show and not quiet, quiet=quiet) as tell:
        commit(PosixFolder("."), filename, base, format, keep=keep, progress=tell)
    if not quiet:
        click.echo("Image committed.")
    return 0


@click.command("snapshot", help=SNAPSHOT, short_help="Internal snapshots.")
@arguments.with_all(
    arguments.filename,
    click.option("-l", "show", is_flag=True, help="List them."),
    click.option("-c", "create", metavar="NAME", help="Take one."),
    click.option("-a", "apply", metavar="NAME", help="Make the disk what it was; an id will do, too."),
    click.option("-d", "remove", metavar="NAME", help="Delete one."),
    arguments.quiet,
    arguments.force_share,
)
def snapshot_verb(
    filename: str,
    show: bool,
    create: str | None,
    apply: str | None,
    remove: str | None,
    quiet: bool,
    force_share: bool,
) -> int:
    """Do one thing with snapshots; only a list is printed."""
    if [show, create is not None, apply is not None, remove is not None].count(True) > 1:
        raise click.UsageError("Only one of '-l', '-c', '-a' and '-d' can be done.")
    folder = PosixFolder(".")
    if create is not None:
        now = time.time_ns()
        take(folder, filename, create, date=now // 10**9, date_nanoseconds=now % 10**9)
    elif apply is not None:
        go_back(folder, filename, apply)
    elif remove is not None:
        delete(folder, filename, remove)
    else:
        found = listed(folder, filename, force_share=force_share)
        if show and found:
            click.echo("\n".join(("Snapshot list:", *snapshot_lines(found))))
    return 0
