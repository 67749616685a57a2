"""`blockops bench images`: how fast the image core is here, beside the raw file and QEMU's own tools."""

import json
import platform
import tempfile
from collections.abc import Sequence
from pathlib import Path

import attrs
import click
from rich.console import Console
from rich.table import Table

from blockops.units import MIB
from proposals.bench.rows import WORKS
from proposals.bench.site import Site
from proposals.bench.snapshots import SNAPSHOTS
from proposals.bench.table import Ratio, Row, measured
from proposals.cli import choice, screen
from proposals.cli.exits import Unusable

HELP = """Measure how fast images are read, written, opened and created.

\b
Each work is done by the image core, with bare system calls on a raw file,
and by QEMU's tools where they are installed, on the same images, in turns.
What is printed are ratios of what was measured in the same round: 0.8 raw is
four fifths of the raw file's speed, 2.0 of a peer twice its speed.

\b
Examples:
  blockops bench images
  blockops bench images --only read --rounds 15
  blockops bench images --folder /dev/shm --json
"""

_ALL = (*WORKS, *SNAPSHOTS)


@click.command("images", help=HELP, short_help="Ratios to the raw file and to QEMU's tools.")
@click.option("--only", "parts", metavar="TEXT", multiple=True, help="Only works whose name has this in it.")
@click.option(
    "--size",
    type=choice.Whole(8, 1024 * 1024),
    default=256,
    show_default=True,
    metavar="MIB",
    help="Size of the images.",
)
@click.option(
    "--rounds", type=choice.Whole(1, 1000), default=7, show_default=True, help="Rounds of each work."
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False, writable=True),
    help="Where the images are made.  [default: the folder for temporary files]",
)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def images_command(parts: Sequence[str], size: int, rounds: int, folder: Path | None, as_json: bool) -> None:
    """Measure what was asked for, and print it."""
    works = [work for work in _ALL if not parts or any(part in work.name for part in parts)]
    if not works:
        raise Unusable(
            f"no work has '{parts[0]}' in its name; there are: {'; '.join(one.name for one in _ALL)}"
        )
    with tempfile.TemporaryDirectory(dir=folder, prefix="blockops-bench-") as path, screen.doing() as tell:
        rows = measured(works, Site(Path(path), size * MIB), rounds, tell)
    if as_json:
        found = {
            "python": platform.python_version(),
            "size": size * MIB,
            "rows": [attrs.asdict(row) for row in rows],
        }
        click.echo(json.dumps(found, ensure_ascii=False, indent=1))
    else:
        draw(screen.output(), rows)


def draw(console: Console, rows: Sequence[Row]) -> None:
    """Print the rows as a table, a line for each that we are held against."""
    table = Table(box=None, pad_edge=False)
    table.add_column("work", no_wrap=True)
    table.add_column("beside")
    for heading in ("ratio", "least", "most", "goal"):
        table.add_column(heading, justify="right")
    for row in rows:
        name = row.work
        for ratio in row.ratios:
            table.add_row(
                name, ratio.than, *map(_told, (ratio.median, ratio.least, ratio.most)), _goal(ratio)
            )
            name = ""
    console.print(table)
    missed = sum(ratio.reached is False for row in rows for ratio in row.ratios)
    goals = sum(ratio.wanted is not None for row in rows for ratio in row.ratios)
    console.print(f"{goals - missed} of {goals} goals reached.")


def _told(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:,.0f}"


def _goal(ratio: Ratio) -> str:
    if ratio.wanted is None:
        return ""
    return f"{_told(ratio.wanted)} {'✓' if ratio.reached else '✕'}"
