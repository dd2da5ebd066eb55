"""Sphinx: ``make docs`` builds these pages into build/docs; a warning is an error."""

from __future__ import annotations

from bulksms import __version__

project = "django-bulksms-outbox"
author = "django-bulksms-outbox maintainers"
copyright = author
version = release = __version__

extensions = ["myst_parser"]
# Links to headings are written as a code host makes them, so that they work there, too.
myst_heading_anchors = 4

html_theme = "furo"
html_title = f"{project} {release}"
html_copy_source = False
html_show_sphinx = False
