"""A backlog of reports is taken from its front, whatever the database believes to be there."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from bulksms import states
from bulksms.carriers.base import ParsedReport
from bulksms.models import Report
from bulksms.services import reports

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

BACKLOG, BATCH = 5_000, 100


def stored(count: int) -> None:
    found = [
        ParsedReport(f"key-{n}", f"R-{n}", "", states.DELIVERED, "", "{}") for n in range(count)
    ]
    assert reports.store("main", found) == count


def plan_of_the_read() -> str:
    """How PostgreSQL reads the reports of one apply step."""
    plans: list[str] = []

    def explain(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "SKIP LOCKED" in sql:
            with connection.connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN {sql}", params)
                plans.append("\n".join(line for (line,) in cursor.fetchall()))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        assert reports.apply_once(BATCH) == BATCH
    (plan,) = plans
    return plan


@pytest.mark.parametrize("knows", [True, False], ids=["statistics of an empty queue", "none"])
def test_a_step_does_not_sort_the_whole_backlog(knows: bool) -> None:
    if knows:
        with connection.cursor() as cursor:
            cursor.execute(f"ANALYZE {Report._meta.db_table}")
    stored(BACKLOG)

    plan = plan_of_the_read()

    assert "Index Scan using bulksms_report_new" in plan
    assert "Sort" not in plan


def test_nothing_else_of_the_transaction_is_planned_that_way() -> None:
    stored(1)
    settings: list[str] = []

    def ask(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("UPDATE"):
            with connection.connection.cursor() as cursor:
                settings.append(cursor.execute("SHOW enable_sort").fetchone()[0])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(ask):
        reports.apply_once()

    assert settings
    assert set(settings) == {"on"}
