"""`blockops list`: what can be compared, wanted, broken, demanded and claimed."""

import json
from collections.abc import Callable, Mapping

import click

from blockops.lab.faults import GROUPS
from blockops.lab.laws import LAWS
from blockops.management.use_cases import USE_CASES
from proposals.catalogue import everybody
from proposals.claims.page import CLAIMS
from proposals.scenarios.wild import SCENARIOS

Entry = Mapping[str, str]


def _contestants() -> list[Entry]:
    return [{"id": one.id, "says": one.entry.title, "author": one.entry.author} for one in everybody()]


def _use_cases() -> list[Entry]:
    return [
        {"id": one.id, "says": one.wants, "devices": ", ".join(map(str, one.device_counts))}
        for one in USE_CASES.values()
    ]


def _faults() -> list[Entry]:
    return [{"id": name, "says": says} for name, says in GROUPS.items()]


def _laws() -> list[Entry]:
    return [{"id": law.id, "says": law.says, "precondition": law.precondition} for law in LAWS]


def _claims() -> list[Entry]:
    return [{"id": one.id, "says": f"{one.design}: {one.says}"} for one in CLAIMS.values()]


def _scenarios() -> list[Entry]:
    return [
        {
            "id": one.id,
            "says": f"{one.kind}: {one.says}",
            "tells": one.tells,
            "reports": ", ".join(report.url for report in one.reports),
        }
        for one in SCENARIOS.values()
    ]


LISTS: Mapping[str, Callable[[], list[Entry]]] = {
    "contestants": _contestants,
    "use-cases": _use_cases,
    "faults": _faults,
    "laws": _laws,
    "claims": _claims,
    "scenarios": _scenarios,
}


@click.command("list", short_help="Print the ids of what there is, and what each means.")
@click.argument("what", type=click.Choice(list(LISTS)), metavar="WHAT")
@click.option("--json", "as_json", is_flag=True, help="As a JSON array.")
def list_command(what: str, as_json: bool) -> None:
    """Print the ids of all that there is of one sort, and what each means.

    WHAT is contestants, use-cases, faults, laws, claims or scenarios.
    """
    entries = LISTS[what]()
    if as_json:
        click.echo(json.dumps(entries, ensure_ascii=False, indent=1))
        return
    width = max(len(entry["id"]) for entry in entries)
    for entry in entries:
        click.echo(f"{entry['id']:{width}}  {entry['says']}")
