"""A scan's result as words, Markdown, SARIF, and a page with pictures."""
