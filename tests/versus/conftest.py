from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.crash.stage import Nursery
from tests.versus.clock import shared
from tests.versus.contest import Contest, Plan, open_contest

Open = Callable[..., Contest]


@pytest.fixture(scope="session")
def nursery(django_db_setup: None, django_db_blocker: Any) -> Iterator[Nursery]:
    """Where workers come from; it lives as long as the test database."""
    found = Nursery()
    yield found
    found.close()


@pytest.fixture
def contest(
    nursery: Nursery, transactional_db: None, settings: Any, tmp_path: Path
) -> Iterator[Open]:
    """``contest(plan, say=print)`` opens a contest for this test."""
    with ExitStack() as cleanup:

        def open_(plan: Plan, say: Callable[[str], None] = print) -> Contest:
            return cleanup.enter_context(open_contest(plan, nursery, settings, tmp_path, say))

        yield open_
    shared.speed = 1.0
