"""One of several processes that use up one limit together: see test_limits.py."""

from __future__ import annotations

import json
import os
import sys
import time

import django


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    from django.db import connection

    from bulksms.exceptions import RateLimited
    from bulksms.services import limits

    connection.settings_dict.update(json.loads(sys.argv[1]))
    connection.ensure_connection()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    passed = refused = 0
    start = time.monotonic()
    for _ in range(100):
        try:
            limits.take(limits.SEND_BULK, "all of them")
            passed += 1
        except RateLimited:
            refused += 1
    seconds = time.monotonic() - start
    sys.stdout.write(json.dumps({"passed": passed, "refused": refused, "seconds": seconds}))


if __name__ == "__main__":
    main()
