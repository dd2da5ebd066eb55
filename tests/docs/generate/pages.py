"""Which pages are written from the code, and by what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from tests.docs.generate import apis, checks, commands, errors, settings, simulator
from tests.docs.generate.source import ROOT

FOLDER = ROOT / "docs" / "reference"

PAGES: Mapping[str, Callable[[], str]] = {
    "settings.md": settings.page,
    "checks.md": checks.page,
    "commands.md": commands.page,
    "apis.md": apis.page,
    "errors_index.md": errors.page,
    "simulator.md": simulator.page,
}


def path(name: str) -> Path:
    return FOLDER / name
