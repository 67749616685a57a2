"""What the templates share: the filters that set a value in type, and the threats to validity.

Templates hold all the words that do not depend on the results; autoescaping is on for HTML, off for
Markdown.
"""

import json
import re
from functools import cache
from typing import Any

import jinja2
from markupsafe import Markup, escape

from blockops.report.summary import Summary
from blockops.report.tally import Mark

THREATS = (
    "The hypervisor is a model in Python. It keeps the order of checks, creations, flushes and pivots that "
    "the sources of 2012 show, and QEMU’s threads, timing and bugs it does not have.",
    "For several commands only a signature survives. What they do beyond it is this project’s choice, and is "
    "documented as a choice where the command is.",
    "The managers are ours. A better one may exist; what a design leaves to management is judged by the two "
    "that were written, `naive` and `careful`.",
    "Laws that a case does not exercise say nothing about it. The share exercised stands beside each law.",
    "A kill here is that of the process: what it had written stays. Loss of power, which can lose or tear "
    "what was not flushed, is not injected yet.",
    "One fault a case. Two independent faults, and a second one in the roll-back of the first, are not tried "
    "yet.",
    "Comparing designs is fair only with the same workload, faults and judges for all: every contestant here "
    "runs under the same guest, the same faults and the same laws.",
)


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
        "cell": _table_cell,
    }
    return made


def render(template: str, summary: Summary, *, autoescape: bool, **more: Any) -> str:
    """Return *template* filled with *summary* and *more*."""
    return environment(autoescape).get_template(template).render(
        summary=summary,
        marks=tuple(Mark),
        threats=THREATS,
        law_says={law.id: law.says for law in summary.laws},
        **more,
    )


def _code(sentence: str) -> Markup:
    """Set what stands in backquotes as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(sentence))))


def _soft_hyphens(name: str) -> Markup:
    """Let a long hyphenated name break after its hyphens and nowhere else."""
    return Markup(str(escape(name)).replace("-", "-<wbr>"))


def _plain(value: object) -> str:
    """A setting as people write it: a list without brackets, the rest as JSON would."""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        return ", ".join(_plain(item) for item in value) or "none"
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _table_cell(text: object) -> str:
    """A text that cannot end a Markdown table's cell or row."""
    return " ".join(str(text).replace("|", "\\|").split())
