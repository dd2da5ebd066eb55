"""The demo with a worker that is killed, as a person starts it."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.plugins.wheel import ROOT

COMMAND = ("example_project/manage.py", "bulksms_demo", "--chaos", "--seed", "7")


@pytest.mark.slow
def test_the_demo_survives_a_worker_that_is_killed() -> None:
    done = subprocess.run(
        [sys.executable, *COMMAND], cwd=ROOT, capture_output=True, text=True, timeout=60,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "shop.settings"}, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^kill -9 \d+: worker [AB] is dead\.", done.stdout, re.MULTILINE)
    assert "170 were accepted exactly once, 170 are final" in done.stdout
    assert "850 accepted, asked twice: {'by_reference': 0, 'by_content': 0}" in done.stdout
    assert "ledger balanced" in done.stdout
