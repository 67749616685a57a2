"""`blockops replay`: one case again, with its timeline and what each law says of it."""

from pathlib import Path
from typing import Any

import click

from blockops.lab.qemu.process import demand_programs
from blockops.lab.replay import Replayed, replay
from blockops.lab.results import World
from blockops.lab.spelling import is_spelled
from blockops.report.case import case_name
from blockops.report.document import UnreadableReport, from_text
from blockops.report.terminal import print_replay
from proposals.catalogue import everybody
from proposals.cli import choice, screen
from proposals.cli.exits import CoreBroken, Unusable
from proposals.cli.keep import keeping

HELP = """Run one CASE again and print its timeline and what each law says of it.

\b
CASE is an id out of a report:
  blockops replay freeze.as-posted.careful/group-snapshot-2/eio@17
  blockops replay freeze.as-posted.careful/group-snapshot-2/kill@step-40 --keep /tmp/case
  blockops replay naive-loop.as-posted.naive/group-snapshot-2~size=4096,before=0/eio@9
"""

OUT: dict[str, Any] = {
    "type": choice.Folder(),
    "default": Path("blockops-report"),
    "show_default": True,
    "help": "Folder whose report.json knows the world whose digest CASE has behind a '~'.",
}


@click.command("replay", help=HELP, short_help="Run one case again, step by step.")
@click.argument("case")
@click.option("--out", "folder", **OUT)
@click.option(
    "--keep",
    type=choice.Folder(),
    metavar="DIR",
    help="Leave the case's images as real files in this folder, which must be new or empty.",
)
def replay_command(case: str, folder: Path, keep: Path | None) -> None:
    """Replay *case*; where its world is drawn, *folder* has the report that knows it."""
    with keeping(keep) as write:
        replayed = again(case, folder)
        kept = write(replayed)
    print_replay(
        screen.output(),
        replayed.case,
        replayed.fault_point,
        replayed.timeline,
        [(law, judgement.verdict, judgement.sentence) for law, judgement in replayed.judgements.items()],
    )
    for sentence in kept:
        click.echo(sentence, err=True)
    if replayed.broken:
        raise CoreBroken(replayed.broken)


def again(case: str, folder: Path) -> Replayed:
    """Run *case* again; where its world is drawn, the report in *folder* knows it."""
    name = case_name(case)
    demand_programs(one for one in everybody() if one.id == name.contestant)
    world = name.world
    unknown = world and not is_spelled(world)
    worlds = _worlds(folder / "report.json") if unknown else {}
    return replay(case, everybody(), worlds)


def _worlds(path: Path) -> dict[str, World]:
    """Return the worlds of the report at *path*; raises Unusable where it cannot be read."""
    try:
        return from_text(path.read_text(encoding="utf-8")).worlds
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        problem = f"{path}: cannot be read to find the case's world: {why}"
        raise Unusable(f"{problem}; --out names the folder of its report") from error
    except UnreadableReport as error:
        raise Unusable(f"{path}: {error}") from error
