"""The fake carrier as a child process, set up as BULKSMS["CARRIERS"] has it."""

from __future__ import annotations

import sys
from typing import Any
from urllib.parse import urlsplit

from django.core.management.base import CommandError

from bulksms import conf

BACKEND = "bulksms.carriers.simulator.SimulatorCarrier"


def command_line(site_url: str, *, seed: str = "1", rules: str | None = None) -> list[str]:
    """``python -m simulator ...`` for the configured simulated carrier.

    ``site_url``: where the host project answers, for delivery reports. Raises CommandError when no
    such carrier is configured.
    """
    name, entry = _carrier()
    options = entry.get("OPTIONS", {})
    where = urlsplit(options.get("url", "http://127.0.0.1:8090"))
    command = [
        sys.executable, "-m", "simulator", "--http", str(where.port), "--seed", seed,
        "--key", options.get("key", "test-key"),
        "--report-url", f"{site_url}/callbacks/{name}/{entry['REPORT_TOKEN']}/",
        "--report-batch", "100", "--report-grain", "0.25",
    ]  # fmt: skip
    if options.get("report_secret"):
        command += ["--secret", options["report_secret"]]
    return [*command, "--rules", rules] if rules else command


def _carrier() -> tuple[str, Any]:
    for name, entry in conf.settings.CARRIERS.items():
        if entry["BACKEND"] == BACKEND and entry.get("REPORT_TOKEN"):
            return name, entry
    raise CommandError(
        f"no carrier with BACKEND {BACKEND!r} and a REPORT_TOKEN in BULKSMS['CARRIERS']"
    )
