"""report.html: one file that needs no network and no script."""

from importlib.resources import files

from markupsafe import Markup

from blockops.report.summary import Summary
from blockops.report.typeset import render


def html(summary: Summary) -> str:
    """Return *summary* as a self-contained HTML page."""
    style = (files("blockops.report") / "templates" / "style.css").read_text(encoding="utf-8")
    return render("report.html.jinja", summary, autoescape=True, style=Markup(style))
