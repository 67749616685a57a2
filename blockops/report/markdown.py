"""report.md: the HTML report's content for a mail, a repository or a terminal."""

from blockops.report.summary import Summary
from blockops.report.typeset import render


def markdown(summary: Summary) -> str:
    """Return *summary* as Markdown with tables (GitHub's flavour)."""
    return render("report.md.jinja", summary, autoescape=False)
