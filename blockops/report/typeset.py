"""What the templates share: the filters that set a value in type.

The templates hold all words that do not depend on the results.  Autoescaping is on for HTML, off for
Markdown.
"""

import json
import re
import shlex
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup, escape

from blockops.report.claims import COLUMNS, SIGNS, bill, series
from blockops.report.summary import Summary
from blockops.report.tally import Mark


@cache
def environment(autoescape: bool) -> jinja2.Environment:
    """Return the templates' environment; *autoescape* for HTML."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("blockops.report", "templates"),
        autoescape=autoescape,
        undefined=jinja2.StrictUndefined,
        trim_blocks=False,
        keep_trailing_newline=True,
    )
    made.filters |= {
        "number": lambda value: f"{value:,}",
        "code": _code,
        "plain": _plain,
        "soft_hyphens": _soft_hyphens,
        "after_slash": _after_slash,
        "cell": _table_cell,
        "quote": shlex.quote,
    }
    return made


def render(template: str, summary: Summary, *, autoescape: bool, **more: Any) -> str:
    """Return *template* filled with *summary* and *more*."""
    return (
        environment(autoescape)
        .get_template(template)
        .render(
            summary=summary,
            marks=tuple(Mark),
            threats=source("threats.txt").strip().split("\n\n"),
            bill=bill(summary.results),
            signs=SIGNS,
            columns=COLUMNS,
            series=series,
            law_says={law.id: law.says for law in summary.laws},
            **more,
        )
    )


def source(name: str) -> str:
    """Return the text of the file *name* among the templates."""
    return (files("blockops.report") / "templates" / name).read_text(encoding="utf-8")


def _code(sentence: str) -> Markup:
    """Set what stands in backquotes as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(sentence))))


def _soft_hyphens(name: str) -> Markup:
    """Let a long hyphenated name break after its hyphens and nowhere else."""
    return Markup(str(escape(name)).replace("-", "-<wbr>"))


def _after_slash(share: str) -> Markup:
    """Let "31/912" break behind its slash, where a matrix has more laws than room."""
    return Markup(str(escape(share)).replace("/", "/<wbr>"))


def _plain(value: object) -> str:
    """A setting as people write it: a list without brackets, "as usual" where nothing was asked for."""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        return ", ".join(_plain(item) for item in value) or "as usual"
    if value is None:
        return "as usual"
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _table_cell(text: object) -> str:
    """A text that cannot end a Markdown table's cell or row."""
    return " ".join(str(text).replace("|", "\\|").split())
