"""Settings of the processes that are measured: as docs/howto/go_live.md has them.

Where everything is comes from the environment, under the names of tests/chaos/settings.py.
"""

from __future__ import annotations

import os

from tests.benchmarks.layout import MAX_BATCH, WINDOW
from tests.chaos.settings import *  # noqa: F403
from tests.chaos.settings import LOGGING as CHAOS_LOGGING

TOKEN = "bench"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django_dramatiq",
    "bulksms",
]
BULKSMS = {
    "CARRIERS": {
        "main": {
            "BACKEND": "bulksms.carriers.simulator.SimulatorCarrier",
            "OPTIONS": {
                "url": os.environ.get("CHAOS_CARRIER", "http://127.0.0.1:9"),
                "window": WINDOW,
                "max_batch": MAX_BATCH,
            },
            "REPORT_TOKEN": TOKEN,
        }
    },
}
LOGGING = {
    **CHAOS_LOGGING,
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        "pika": {"level": "CRITICAL"},
        "django.server": {"level": "WARNING"},
        "bulksms.worker": {"level": "INFO"},  # says when it is up
    },
}
