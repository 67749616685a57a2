"""report.html: one file that needs no network and no script."""

from markupsafe import Markup

from blockops.report.summary import Summary
from blockops.report.typeset import render, source


def html(summary: Summary) -> str:
    """Return *summary* as a self-contained HTML page."""
    return render("report.html.jinja", summary, autoescape=True, style=Markup(source("style.css")))
