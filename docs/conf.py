"""Sphinx: ``make docs`` builds these pages into build/docs; a warning is an error."""

from __future__ import annotations

import re

from sphinx.application import Sphinx

from bulksms import __version__

project = "django-bulksms-outbox"
author = "django-bulksms-outbox maintainers"
copyright = author
version = release = __version__

extensions = ["myst_parser"]
# Links to headings are written as a code host makes them, so that they work there, too.
myst_heading_anchors = 4
# A block without a language is a diagram or what a terminal shows; "" is no typographer's quote.
highlight_language = "text"
smartquotes = False

html_theme = "furo"
html_title = f"{project} {release}"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_copy_source = False
html_show_sphinx = False

#: Their lists of links are the table of contents, so that no page is named twice. A page that
#: neither of them links to is a warning.
LISTS = ("index", "decisions/README")
LINK = re.compile(r"\[[^\]]*\]\(([\w/-]+)\.md\)")
TOCTREE = """
```{{toctree}}
:hidden:
{caption}
{pages}
```
"""


def add_contents(app: Sphinx, docname: str, source: list[str]) -> None:
    """Add a hidden toctree for each section of links."""
    if docname not in LISTS:
        return
    for section in re.split(r"^## ", source[0], flags=re.MULTILINE):
        heading, _, body = section.partition("\n")
        caption = "" if heading.startswith("# ") else f":caption: {heading}\n"
        if pages := LINK.findall(body):
            source[0] += TOCTREE.format(caption=caption, pages="\n".join(pages))


def setup(app: Sphinx) -> None:
    app.connect("source-read", add_contents)
