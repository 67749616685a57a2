"""What a page of docs/proposals must say because the code says it, and the parts of a page that can be run.

Run as a program it prints every table, ready to be put into its page.
"""

import pathlib
import re
import sys
import typing
from collections.abc import Mapping
from enum import Enum
from typing import Any, TypeAlias

import attrs

from blockops.host.memory import MemoryDisk, MemoryFolder
from blockops.jobs import state as jobs
from blockops.machine import Machine
from blockops.management.contestant import Entry
from blockops.qmp.command import Command
from proposals.baselines.entry import ENTRIES as BASELINES
from proposals.catalogue import ENTRIES
from proposals.freeze import state as freeze
from proposals.recorded_transaction import state as recorded
from proposals.transaction import state as transaction

ROOT = pathlib.Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "proposals"

PAGES: Mapping[str, tuple[Entry, ...]] = {
    **{entry.id: (entry,) for entry in ENTRIES if entry not in BASELINES},
    "baselines": BASELINES,
}
Table: TypeAlias = Mapping[tuple[Any, Any], Enum]

STATES: Mapping[str, Table] = {
    "transaction": transaction.TABLE,
    "freeze": freeze.TABLE,
    "recorded-transaction": recorded.TABLE,
    "merged-transaction": jobs.TABLE,
}


def text_of(page: str) -> str:
    return (FOLDER / f"{page}.md").read_text(encoding="utf-8")


def commands_of(entry: Entry) -> Mapping[str, Command]:
    return entry.make(Machine(MemoryFolder(MemoryDisk())), entry.profiles[0]).commands


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def command_table(entry: Entry) -> str:
    """The commands of a contestant with their arguments as the schema has them."""
    rows = [
        [f"`{command.name}`", arguments_of(command) or "none", also_accepted(command) or "—", command.source]
        for command in commands_of(entry).values()
    ]
    return table(["command", "arguments", "also accepted", "signature from"], rows)


def arguments_of(command: Command) -> str:
    return ", ".join(members(command.arguments, command.extensions))


def members(arguments: type, extensions: tuple[str, ...], prefix: str = "") -> list[str]:
    """The members of one JSON object; "?" after what may be absent, "+" after an extension."""
    named = []
    for field in attrs.fields(attrs.resolve_types(arguments)):
        name = prefix + field.name.replace("_", "-")
        mark = "" if field.default is attrs.NOTHING else "?"
        named.append(f"`{name}{mark}{'+' if name in extensions else ''}`")
        items = "[]" if typing.get_origin(field.type) is tuple else ""
        for inner in filter(attrs.has, typing.get_args(field.type)):
            named += members(inner, extensions, f"{name}{items}.")
    return named


def also_accepted(command: Command) -> str:
    names = [f"`{alias}`" for alias in command.aliases]
    return ", ".join(names + [f"`{old}` for `{new}`" for old, new in command.renamed.items()])


def state_table(moves: Table) -> str:
    """States down, moves across; an empty place is an error that changes nothing."""
    state_type = type(next(iter(moves))[0])
    move_type = type(next(iter(moves))[1])
    rows = [
        [
            f"**{word(state)}**",
            *(word(moves[state, move]) if (state, move) in moves else "" for move in move_type),
        ]
        for state in state_type
    ]
    return table(["", *(word(move) for move in move_type)], rows)


def word(member: Enum) -> str:
    return member.name.lower()


def programs(page: str) -> list[tuple[str, str]]:
    """The Python programs of a page, each with the output that the page promises."""
    return re.findall(r"```python\n(.*?)```\n+```text\n(.*?)```", text_of(page), flags=re.DOTALL)


def links(page: str) -> list[str]:
    return [link for link in re.findall(r"\]\(([^)#]+)\)", text_of(page)) if "://" not in link]


def report() -> str:
    parts = []
    for page, entries in PAGES.items():
        parts += [f"{page}: {entry.id}\n{command_table(entry)}\n" for entry in entries]
        if page in STATES:
            parts.append(state_table(STATES[page]) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    sys.stdout.write(report())
