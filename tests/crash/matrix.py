"""Every cell of the matrix. Not part of the suite: ``python -m tests.crash`` plays it."""

from __future__ import annotations

import pytest

from tests.crash.cells import ALL, Cell
from tests.crash.conftest import Open
from tests.crash.play import play

pytestmark = [pytest.mark.postgres, pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("cell", ALL, ids=str)
def test_cell(cell: Cell, stage: Open) -> None:
    play(cell, stage(cell))
