"""The report: one set of results, told in the terminal, in Markdown, in HTML and in JSON."""
