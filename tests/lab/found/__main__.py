"""Look for cases in drawn worlds that cases.txt has none like, and print the lines to add to it.

    python -m tests.lab.found --examples 200 --seed 8 freeze.hardened.careful

Only laws are searched for of which the file has no line of the contestant.  A broken core is always told:
mend it, then add the line.  So it is with a law that a contestant claims to keep: once that is mended its
line says "held".  The exit code is 1 where something is to be added.
"""

import sys

import click

from blockops.lab.drawn import GRAVE
from tests.lab.cases import CONTESTANTS
from tests.lab.found.pins import CORE, FILE, pinned
from tests.lab.found.seeking import Seeking


@click.command(help=__doc__)
@click.option("--examples", default=100, show_default=True, help="How many worlds are drawn for each law.")
@click.option("--seed", default=7, show_default=True)
@click.argument("contestants", nargs=-1, type=click.Choice(list(CONTESTANTS)))
def main(examples: int, seed: int, contestants: tuple[str, ...]) -> None:
    """Search for each contestant, of all where none is named."""
    known = {(pin.contestant, pin.law) for pin in pinned()}
    missing = 0
    for contestant in contestants or CONTESTANTS:
        wanted = [CORE, *(law for law in GRAVE if (contestant, law) not in known)]
        for pin in Seeking(CONTESTANTS[contestant], examples, seed, wanted).found():
            click.echo(pin)
            missing += 1
    if missing:
        click.echo(f"{missing} to be added to {FILE}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
