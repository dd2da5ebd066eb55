from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.crash.cells import Cell
from tests.crash.stage import Nursery, Stage, open_stage, settings_of
from tests.factories import kenyan_numbers

Open = Callable[..., Stage]


@pytest.fixture(scope="session")
def nursery(django_db_setup: None, django_db_blocker: Any) -> Iterator[Nursery]:
    """Where workers come from; it lives as long as the test database."""
    found = Nursery()
    yield found
    found.close()


@pytest.fixture
def stage(
    nursery: Nursery, transactional_db: None, live_server: Any, settings: Any, tmp_path: Path
) -> Iterator[Open]:
    """``stage(cell)`` or ``stage(bulksms=..., virtual=False)`` opens a stage for this test."""
    with ExitStack() as cleanup:

        def open_(cell: Cell | None = None, **options: Any) -> Stage:
            if cell is not None:
                options = {**of_cell(cell), **options}
            opened = open_stage(nursery, settings, live_server.url, tmp_path, **options)
            return cleanup.enter_context(opened)

        yield open_


def of_cell(cell: Cell) -> Mapping[str, Any]:
    second = kenyan_numbers(2 * cell.per_request)[cell.per_request :]
    return {
        "bulksms": settings_of(query=cell.query, per_request=cell.per_request),
        "rules": cell.rules(second),
    }
