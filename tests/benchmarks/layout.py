"""Which processes are measured: what two cores do best with, of the layouts that were tried.

One web process with threads takes requests and reports, two worker processes do the rest: with one
they are 4% slower, which is less than what the machine swings by.
"""

from __future__ import annotations

import os

WORKERS = int(os.environ.get("BULKSMS_BENCH_WORKERS", "2"))
THREADS = int(os.environ.get("BULKSMS_BENCH_THREADS", "3"))
#: Requests to the carrier at a time; the last is kept for urgent messages.
WINDOW = int(os.environ.get("BULKSMS_BENCH_WINDOW", "4"))
#: Messages of one request: what a step costs besides its rows is halved (with 500: 2.5 to 2.7x).
MAX_BATCH = int(os.environ.get("BULKSMS_BENCH_MAX_BATCH", "1000"))
#: Callers that post at the same time.
CLIENTS = int(os.environ.get("BULKSMS_BENCH_CLIENTS", "2"))
