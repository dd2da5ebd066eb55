"""A small host project for test_send: its database is a file, its chunks have 100 rows.

``python -m tests.commands.sending_host DATABASE FILE inside|after|never CHUNK`` runs bulksms_send
and, in that chunk, says "now" and waits for Ctrl-C: inside the chunk's transaction, or just after
its commit, before the process can take note of it.
"""

from __future__ import annotations

import sys
import threading
from typing import Any

import django
from django.conf import settings
from django.core.management import CommandError, call_command

CHUNK = 100


def configure(database: str) -> None:
    options = {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL;"}
    settings.configure(
        SECRET_KEY="only for tests",
        USE_TZ=True,
        INSTALLED_APPS=["bulksms"],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3", "NAME": database, "OPTIONS": options,
            }
        },
        BULKSMS={
            "ORGANISATION": {"name": "Shop", "sender_id": "SHOP"},
            "CARRIERS": {"main": {"BACKEND": "bulksms.carriers.locmem.LocmemCarrier"}},
            "MAX_RECIPIENTS": CHUNK,
        },
    )  # fmt: skip
    django.setup()


def wait_for_ctrl_c() -> None:
    print("now", flush=True)
    threading.Event().wait(60)


def stop_in(where: str, chunk: int) -> None:
    """Let the ``chunk``-th campaign of this process wait."""
    from bulksms.services import outbox, sending

    real_send, real_enqueue, seen = sending.send, outbox.enqueue, []

    def send(*args: Any, **options: Any) -> Any:
        seen.append(1)
        result = real_send(*args, **options)
        if where == "after" and len(seen) == chunk:
            wait_for_ctrl_c()
        return result

    def enqueue(*args: Any, **options: Any) -> None:
        real_enqueue(*args, **options)
        if where == "inside" and len(seen) == chunk:
            wait_for_ctrl_c()

    sending.send, outbox.enqueue = send, enqueue  # type: ignore[assignment]


def main(database: str, file: str, where: str, chunk: str) -> int:
    configure(database)
    stop_in(where, int(chunk))
    try:
        call_command("bulksms_send", file, message="Hi {name}", no_color=True)
    except CommandError as error:
        print(error, file=sys.stderr)
        return error.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
