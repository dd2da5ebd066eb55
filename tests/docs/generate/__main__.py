"""``python -m tests.docs.generate`` writes the pages of docs/reference that come from the code."""

from __future__ import annotations

import os

import django


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    from tests.docs.generate.pages import PAGES, path

    for name, write in PAGES.items():
        path(name).write_text(write(), encoding="utf-8")
        print(f"docs/reference/{name}: {path(name).stat().st_size} bytes")


if __name__ == "__main__":
    main()
