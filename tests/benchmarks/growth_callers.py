"""Some of the callers of test_bench_callers: a web process with threads, each a connection.

``python -m tests.benchmarks.growth_callers DATABASE``. For each line of API keys (a JSON list, a
caller for each) it makes its calls and answers with a line: the seconds that they took.
"""

from __future__ import annotations

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

CALLS, RECIPIENTS = 20, 100
TEXT = "Dear customer, your bill of KES 1,250 is due on 20th Dec."


def call(key: str) -> None:
    """One caller: its calls in a row, through the whole stack but the socket."""
    from django.db import connection
    from django.test import Client

    client, headers = Client(), {"authorization": f"Bearer {key}"}
    numbers = [f"2547{22_000_000 + n}" for n in range(RECIPIENTS)]
    body = json.dumps({"recipients": numbers, "message": TEXT})
    try:
        for _ in range(CALLS):
            answer = client.post(
                "/v1/sms/send-bulk/", body, content_type="application/json", headers=headers
            )
            assert answer.status_code == 201, answer.content[:500]
    finally:
        connection.close()


def main(database: str) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    import django
    from django.conf import settings

    settings.DATABASES["default"]["NAME"] = database
    settings.BULKSMS = {**settings.BULKSMS, "RATE_LIMITS": {"send-bulk": None}}
    django.setup()
    for line in sys.stdin:
        keys = json.loads(line)
        started = time.perf_counter()
        with ThreadPoolExecutor(len(keys)) as pool:
            list(pool.map(call, keys))
        print(time.perf_counter() - started, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
