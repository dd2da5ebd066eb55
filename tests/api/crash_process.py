"""A server process that dies at a request with an Idempotency-Key: see test_idempotency.py.

Arguments: the database, the API key, the body, and where it dies: before the commit, or after it
and before the answer.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

import django


def main() -> None:
    database, key, body, where = sys.argv[1:]
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    from django.db import connection
    from django.test import Client

    from bulksms.api.v1 import outputs
    from bulksms.services import outbox

    connection.settings_dict.update(json.loads(database))
    module, name = (outbox, "enqueue") if where == "before the commit" else (outputs, "bulk")
    real = getattr(module, name)

    def done_and_dead(*args: Any) -> None:
        real(*args)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(module, name, done_and_dead)
    headers = {"authorization": f"Bearer {key}", "idempotency-key": "k1"}
    Client().post("/v1/sms/send-bulk/", body, "application/json", headers=headers)


if __name__ == "__main__":
    main()
