"""Arguments and options that several verbs have, with the letters of qemu-img."""

import functools
from collections.abc import Callable
from typing import Any

import click

from blockops.errors import InvalidRequest
from blockops.graph.formats import FORMATS
from blockops.img.sizes import parse_size

Verb = Callable[..., Any]

filename = click.argument("filename", metavar="FILE")


def _known(context: click.Context, parameter: click.Parameter, name: str | None) -> str | None:
    if name is not None and name not in FORMATS:
        raise click.BadParameter(f"'{name}' is none of {', '.join(FORMATS)}", context, parameter)
    return name


def image_format(letter: str, name: str, says: str) -> Callable[[Verb], Verb]:
    """Return an option *letter* for a format, handed over as *name*."""
    return click.option(letter, name, metavar="FORMAT", callback=_known, help=says)


class Size(click.ParamType[int]):
    """A size in bytes, with the suffixes of qemu-img."""

    name = "size"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> int:
        """Return the bytes; usage error for what is no size."""
        try:
            return value if isinstance(value, int) else parse_size(value)
        except InvalidRequest as error:
            self.fail(error.message, parameter, context)


SIZE = Size()

options = click.option(
    "-o",
    "options",
    multiple=True,
    metavar="NAME=VALUE,…",
    help="Options of the new image's format; `-o help` lists them.",
)

backing_file = click.option("-b", "backing_file", metavar="FILE", help="The image below the new one.")

backing_format = image_format("-F", "backing_format", "The format of the image below.")


def asks_for_help(options: tuple[str, ...]) -> bool:
    """Whether one of the options is a question."""
    return any(one in ("help", "?") for text in options for one in text.split(","))


first_format = image_format("-f", "format", "The image's format; found out by its first bytes if not given.")

force_share = click.option(
    "-U", "--force-share", is_flag=True, help="Open it even where somebody is writing to it."
)

quiet = click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")

CACHES = ("writeback", "unsafe", "writethrough", "directsync", "none")

cache = click.option(
    "-t",
    "cache",
    type=click.Choice(CACHES),
    help="unsafe: nothing is made durable; all others: everything is, in the end.",
)

progress = click.option(
    "-p", "show", is_flag=True, help="Print how far it is, wherever standard output goes."
)

output = click.option(
    "--output",
    type=click.Choice(["human", "json"]),
    default="human",
    help="What to print.",
)


def with_all(*decorators: Callable[[Verb], Verb]) -> Callable[[Verb], Verb]:
    """Return one decorator for several, the first outermost, so that help lists them in this order."""

    def decorate(verb: Verb) -> Verb:
        return functools.reduce(lambda inner, decorator: decorator(inner), reversed(decorators), verb)

    return decorate
