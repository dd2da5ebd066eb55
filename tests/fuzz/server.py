"""A server with one organisation that can pay for everything; counts what it answers.

Takes its database and "limited" or "unlimited" as arguments. Prints one JSON line when it is up,
does each deed that it is told on its standard input, and prints all counts when that is closed.
"""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler

import django
from django.conf import settings
from django.core.management import call_command
from django.core.servers.basehttp import ThreadedWSGIServer
from django.urls import Resolver404, resolve

from tests.plugins.databases import database_from_url

LIMITS = ("send-bulk", "send", "quote", "manage", "read", "failed-authentication")
#: A deed needs one that is not done yet: cancelling uses them up.
CAMPAIGNS = 200
OFF: dict[str, int | None] = dict.fromkeys(LIMITS)


class Quiet(WSGIRequestHandler):
    """Says nothing of single requests."""

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class Counted:
    """Counts (name of the address, method, status, error code)."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self.app = app
        self.counts: Counter[tuple[str, str, int, str]] = Counter()
        self.lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        name = self._name(environ["PATH_INFO"])  # Django changes it
        statuses: list[int] = []

        def start(status: str, headers: Any, *rest: Any) -> Any:
            statuses.append(int(status[:3]))
            return start_response(status, headers, *rest)

        body = b"".join(self.app(environ, start))
        with self.lock:
            self.counts[name, environ["REQUEST_METHOD"], statuses[-1], _code(body)] += 1
        return [body]

    def _name(self, path: str) -> str:
        try:
            return resolve(path.encode("latin-1").decode("utf-8", "replace")).url_name or "-"
        except Resolver404:
            return "-"


def _code(body: bytes) -> str:
    """An error answer's code and the first field that it names; "" for others."""
    found = json.loads(body) if body.startswith(b"{") else {}
    if "code" not in found:
        return ""
    field = next((fault["field"] for fault in found.get("errors", [])), "")
    return f"{found['code']} {field}".strip()


def configure(database: str, *, limited: bool) -> None:
    settings.configure(
        SECRET_KEY="fuzz",
        USE_TZ=True,
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF="bulksms.urls",
        INSTALLED_APPS=["bulksms"],
        DATABASES={"default": database_from_url(database)},
        DRAMATIQ_BROKER=None,
        LOGGING={
            "version": 1,
            "handlers": {"stderr": {"class": "logging.StreamHandler", "level": "ERROR"}},
            "loggers": {"django": {"handlers": ["stderr"], "level": "ERROR"}},
        },
        BULKSMS={
            "CARRIERS": {"main": {"BACKEND": "bulksms.carriers.locmem.LocmemCarrier"}},
            "RATE_LIMITS": {} if limited else OFF,
        },
    )
    django.setup()
    call_command("migrate", verbosity=0)


def prepare() -> dict[str, Any]:
    """An organisation, its key, and campaigns of every kind that can be asked about."""
    import datetime as dt

    from bulksms import clock, send_bulk
    from bulksms.services import control, keys, organisations
    from tests.factories import kenyan_numbers, make_organisation

    organisation = make_organisation(credit_limit_micros=None)
    key = keys.create(organisation, scopes=keys.SCOPES)[1]
    later = clock.now() + dt.timedelta(days=30)
    ids = []
    for number in range(CAMPAIGNS):
        sent = send_bulk(
            recipients=[*kenyan_numbers(3), "12"], message="Hi", organisation=organisation,
            scheduled_at=later if number % 2 else None,
        )  # fmt: skip
        if number % 4 == 0:
            control.pause(organisation, sent.id)
        ids.append(str(sent.id))
    organisations.register_sender(organisation, "TUKUPAY")  # the examples of the outbox dialect
    reader = keys.create(organisation, scopes=("read",))[1]
    poor = keys.create(make_organisation(balance_micros=0))[1]
    return {"key": key, "reader": reader, "poor": poor, "campaigns": ids}


def stop_sending() -> None:
    """Every request to send is answered with 503 from now on."""
    from bulksms.services import stops

    stops.stop(actor="fuzz", why="to see the answer")


def allow_nothing() -> None:
    """Every request to send is answered with 429 from now on."""
    settings.BULKSMS["RATE_LIMITS"] = {**settings.BULKSMS["RATE_LIMITS"], "send": 0}


DEEDS = {"stop": stop_sending, "limit": allow_nothing}


def main() -> None:
    database, limited = sys.argv[1], sys.argv[2] == "limited"
    configure(database, limited=limited)
    from django.core.wsgi import get_wsgi_application

    app = Counted(get_wsgi_application())
    server = ThreadedWSGIServer(("127.0.0.1", 0), Quiet)
    server.daemon_threads = True
    server.set_app(app)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"port": server.server_address[1], **prepare()}), flush=True)
    for line in sys.stdin:
        DEEDS[line.strip()]()
        print(line, end="", flush=True)
    print(json.dumps([[*key, count] for key, count in sorted(app.counts.items())]), flush=True)


if __name__ == "__main__":
    main()
