"""The example project's settings for production pass every check of ours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

PROJECT = Path(__file__).resolve().parents[2] / "example_project"


@pytest.mark.django_db
@pytest.mark.postgres
@pytest.mark.parametrize(
    ("settings", "broker"),
    [("shop.settings_redis", "redis://127.0.0.1:9/0"),
     ("shop.settings_rabbitmq", "amqp://127.0.0.1:9/%2f")],
)  # fmt: skip
def test_the_settings_for_production_pass_our_checks(settings: str, broker: str) -> None:
    where = connection.settings_dict
    env = {
        **os.environ, "BROKER_URL": broker, "SECRET_KEY": "x" * 60, "PGDATABASE": where["NAME"],
        "PGHOST": where["HOST"], "PGUSER": where["USER"], "PGPORT": str(where["PORT"]),
        "PGPASSWORD": where["PASSWORD"], "AT_API_KEY": "k", "AT_REPORT_TOKEN": "t",
    }  # fmt: skip
    command = [sys.executable, "manage.py", "check", "--deploy", "--tag", "bulksms"]

    done = subprocess.run(
        [*command, "--settings", settings, "--fail-level", "WARNING"],
        cwd=PROJECT, env=env, capture_output=True, text=True, timeout=60,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout
