"""`blockops bench lab`: how fast the lab is here, on one core, beside what else could have been run."""

import json
import platform
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import click
from rich.console import Console
from rich.table import Table

from blockops.lab.bench import peers, speed
from blockops.lab.bench.figures import Line, OfDevices, Power, Rate
from blockops.lab.workers import collect_seldom
from blockops.management.contestant import Contestant
from proposals.catalogue import contestants
from proposals.cli import choice, screen
from proposals.cli.bench_images import images_command
from proposals.cli.exits import CoreBroken, Unusable

HELP = """Measure how many cases the lab judges per second on one core.

\b
All laws are on, in a group snapshot of two devices; then power cuts, and one
to eight devices.  In the same run others are measured, to be held against it.
The lab's own seconds are those for which it had a core; QEMU's are of the clock.

\b
Examples:
  blockops bench lab
  blockops bench lab --contestant freeze.hardened.careful --seconds 10
  blockops bench lab --json
"""

TYPICAL = "group-snapshot.hardened.careful"
"""Who is measured where only one is: with other numbers of devices and beside others."""


CASES, POWER_CUTS = 1_500, 1_000
"""How many per second of a core were wished for."""


@attrs.frozen
class Goal:
    """What was wished for per second of a core, and what it is."""

    name: str
    goal: int
    reached: float

    @property
    def words(self) -> str:
        share = "reached" if self.reached >= self.goal else f"{self.reached / self.goal:.0%} of it"
        return f"Goal: {self.goal:,} {self.name} per second; here {self.reached:,.0f}: {share}."


@attrs.frozen
class Figures:
    """All that was measured."""

    cases: list[Rate]
    power: list[Power]
    second: Power
    plain: Rate
    lawful: Rate
    devices: list[OfDevices]
    line: Line
    peers: list[Rate]


@click.group("bench", short_help="Measure how fast the lab and the image core are.")
def bench_commands() -> None:
    """Measure how fast the lab and the image core are on this machine."""


bench_commands.add_command(images_command)


@bench_commands.command("lab", help=HELP, short_help="Judged cases per second on one core.")
@click.option(
    "--contestant",
    "names",
    callback=choice.known_contestants,
    metavar="NAME",
    multiple=True,
    help="Only this contestant; may be repeated.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0, 3600, min_open=True),
    default=3.0,
    show_default=True,
    help="What each measurement may take; there are fourteen.",
)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def lab_command(names: Sequence[str], seconds: float, as_json: bool) -> None:
    """Measure, and print what came of it; raises CoreBroken where a case broke the core."""
    asked = [one for one in contestants() if not names or {one.id, one.entry.id}.intersection(names)]
    with screen.doing() as tell:
        figures = measure(asked, seconds, tell)
    if as_json:
        click.echo(json.dumps(plain(figures), ensure_ascii=False, indent=1))
    else:
        draw(screen.output(), figures)
    if broken := broken_in(figures):
        raise CoreBroken(broken)


def broken_in(figures: Figures) -> list[str]:
    """Return what the cases broke in our own core."""
    rates = [*figures.cases, figures.plain, figures.lawful, *(one.rate for one in figures.devices)]
    cuts = [sentence for one in (*figures.power, figures.second) for sentence in one.broken]
    return [*(sentence for rate in rates for sentence in rate.broken), *cuts]


def measure(asked: Sequence[Contestant], seconds: float, tell: Callable[[str], None]) -> Figures:
    """Measure everything; *seconds* each, which contestants share."""
    settings = speed.settings_of(asked)
    if not settings:
        raise Unusable(f"none of those contestants can do a {speed.USE_CASE}")
    typical = next((one for one in settings if one.contestant.id == TYPICAL), settings[0])
    each = seconds / len(settings)
    collect_seldom()  # as every worker does
    cases, power = list[Rate](), list[Power]()
    for setting in settings:
        tell(f"cases of {setting.contestant.id}")
        cases.append(speed.judged_cases(setting, each))
        tell(f"power cuts of {setting.contestant.id}")
        power.append(speed.power_cuts(setting, each))
    tell("second power cuts")
    second = speed.second_cuts(typical, seconds)
    tell("with and without laws")
    executed, lawful = speed.executed(typical, seconds)
    devices, line = speed.by_devices(typical.contestant, seconds, tell)
    tell("others")
    others = [peers.python_calls(seconds), peers.qemu(seconds), peers.qemu_img(seconds)]
    return Figures(
        cases, power, second, executed, lawful, devices, line, [one for one in others if one is not None]
    )


def sum_of_cases(rates: Sequence[Rate]) -> Rate:
    """Return all of *rates* as one."""
    run, remembered = sum(one.run for one in rates), sum(one.remembered for one in rates)
    return Rate("all", run, remembered, sum(one.seconds for one in rates))


def sum_of_power(found: Sequence[Power]) -> Power:
    """Return all of *found* as one."""
    distinct, equal = sum(one.distinct for one in found), sum(one.equal for one in found)
    return Power(
        "all", distinct, equal, sum(one.recovered for one in found), sum(one.seconds for one in found)
    )


def plain(figures: Figures) -> dict[str, Any]:
    """Return *figures* as JSON: per second, and the counts and seconds that this comes from."""
    cases, power = sum_of_cases(figures.cases), sum_of_power(figures.power)
    return {
        "python": platform.python_version(),
        "use_case": f"{speed.USE_CASE}-{speed.DEVICES}",
        "cases": [_plain_rate(one) for one in (*figures.cases, cases)],
        "power": [
            {
                "name": one.name,
                "distinct": one.distinct,
                "equal": one.equal,
                "recovered": one.recovered,
                "seconds": one.seconds,
                "per_second": one.per_second,
            }
            for one in (*figures.power, power)
        ],
        "second_power_cuts": {
            "name": figures.second.name,
            "distinct": figures.second.distinct,
            "seconds": figures.second.seconds,
            "per_second": figures.second.per_second,
        },
        "devices": [
            {"devices": one.devices, "cases": one.rate.run, "milliseconds": one.milliseconds}
            for one in figures.devices
        ],
        "line": attrs.asdict(figures.line),
        "goals": [attrs.asdict(goal) for goal in goals(figures)],
        "beside": [
            {**_plain_rate(one), "ratio": _ratio(figures, one)}
            for one in (figures.lawful, figures.plain, *figures.peers)
        ],
    }


def _plain_rate(rate: Rate) -> dict[str, Any]:
    return {
        "name": rate.name,
        "run": rate.run,
        "remembered": rate.remembered,
        "seconds": rate.seconds,
        "run_per_second": rate.per_second,
        "judged_per_second": rate.with_remembered,
    }


def _ratio(figures: Figures, peer: Rate) -> float:
    """How many of *peer*'s fit into one case that is run and judged by all laws."""
    return peer.per_second / figures.lawful.per_second if figures.lawful.per_second else 0.0


def draw(console: Console, figures: Figures) -> None:
    """Print *figures* as tables."""
    cases, power = sum_of_cases(figures.cases), sum_of_power(figures.power)
    console.print(f"Per second on one core, {speed.USE_CASE} with {speed.DEVICES} devices, all laws:")
    table = _table("contestant", "cases", "run", "power cuts", "equal")
    both = zip([*figures.cases, cases], [*figures.power, power], strict=True)
    for rate, cuts in both:
        judged, run = f"{rate.with_remembered:,.0f}", f"{rate.per_second:,.0f}"
        table.add_row(rate.name, judged, run, f"{cuts.per_second:,.0f}", f"{cuts.equal:,}")
    console.print(table)
    console.print("cases: with those that equal one that was run; power cuts: distinct ones, not the equal.")
    console.print(
        f"Power cuts of the recoveries from those of {figures.second.name}: "
        f"{figures.second.per_second:,.0f} distinct ones."
    )
    table = _table("devices", "ms a case", "on the line")
    for one in figures.devices:
        on_line = figures.line.start + figures.line.each * one.devices
        table.add_row(str(one.devices), f"{one.milliseconds:.2f}", f"{on_line:.2f}")
    console.print(table)
    console.print(f"No more than {figures.line.off:.0%} off the line.")
    table = _table("beside it", "per second", "for each case judged")
    for peer in (figures.lawful, figures.plain, *figures.peers):
        table.add_row(peer.name, f"{peer.per_second:,.0f}", f"{_ratio(figures, peer):,.2f}")
    console.print(table)
    for goal in goals(figures):
        console.print(goal.words)
    console.print(_bounds(figures))


def goals(figures: Figures) -> tuple[Goal, Goal]:
    """Return how close cases and power cuts come to what was wished for."""
    cases, power = sum_of_cases(figures.cases), sum_of_power(figures.power)
    return (
        Goal("judged cases", CASES, cases.with_remembered),
        Goal("distinct power cuts", POWER_CUTS, power.per_second),
    )


def _bounds(figures: Figures) -> str:
    """Say what the number of cases is bounded by."""
    cases = sum_of_cases(figures.cases)
    all_of_them, lawful = cases.run + cases.remembered, figures.lawful.per_second
    executing = lawful / figures.plain.per_second if figures.plain.per_second else 0.0
    return (
        f"What bounds the cases: {cases.run / all_of_them:.0%} of them are run, the others equal one that "
        f"was; one that is run takes {1000 * cases.seconds / cases.run:.1f} ms, {executing:.0%} of that its "
        "execution in Python, from its beginning: forking a process at the fault costs more than it saves "
        "(docs/decisions/0010)."
    )


def _table(first: str, *columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(first, no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right")
    return table
