"""A host project in a process of its own that lives on the simulator's clock.

``python -m tests.flows.shared_app PORT`` with CLOCK_FILE, DATABASE_FILE and SIMULATOR_URL in the
environment. Prints its API key, then serves until it is ended.
"""

from __future__ import annotations

import os
import sys
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler

import django
from django.conf import settings
from django.core.management import call_command
from django.core.servers.basehttp import ThreadedWSGIServer
from django.core.wsgi import get_wsgi_application
from django.urls import include, path

urlpatterns: list[Any] = []


def configure() -> None:
    """The settings of this process."""
    settings.configure(
        SECRET_KEY="only for tests",
        DEBUG=True,
        ALLOWED_HOSTS=["*"],
        USE_TZ=True,
        ROOT_URLCONF="tests.flows.shared_app",
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth",
                        "django_dramatiq", "bulksms"],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": os.environ["DATABASE_FILE"],
                "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20,
                            "init_command": "PRAGMA journal_mode=WAL;"},
            }
        },
        DRAMATIQ_BROKER={"BROKER": "dramatiq.brokers.stub.StubBroker", "OPTIONS": {},
                         "MIDDLEWARE": []},
        BULKSMS={
            "CLOCK": "tests.flows.shared_clock.clock",
            "CARRIERS": {
                "main": {
                    "BACKEND": "bulksms.carriers.simulator.SimulatorCarrier",
                    "OPTIONS": {"url": os.environ["SIMULATOR_URL"], "max_batch": 20},
                    "REPORT_TOKEN": "token",
                }
            },
        },
    )  # fmt: skip
    django.setup()


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def main(port: int) -> None:
    configure()
    call_command("migrate", verbosity=0)
    # Models are importable only now.
    from bulksms import ids
    from bulksms.testing import peer_view
    from tests.factories import make_key, make_organisation

    ids.seed(7)  # jitter too is drawn there
    urlpatterns.extend([path("peer/", peer_view), path("", include("bulksms.urls"))])
    print(make_key(make_organisation()), flush=True)
    server = ThreadedWSGIServer(("127.0.0.1", port), _Quiet)
    server.daemon_threads = True
    server.set_app(get_wsgi_application())
    server.serve_forever()


if __name__ == "__main__":
    sys.modules["tests.flows.shared_app"] = sys.modules["__main__"]
    main(int(sys.argv[1]))
