"""Which processes are measured: what two cores do best with, of the layouts that were tried.

One web process with threads takes requests and reports. A second worker process costs a process's
memory and a poll for work, and helps only where there are cores left for it.
"""

from __future__ import annotations

import os

WORKERS = int(os.environ.get("BULKSMS_BENCH_WORKERS", "1"))
THREADS = int(os.environ.get("BULKSMS_BENCH_THREADS", "4"))
#: Requests to the carrier at a time; the last is kept for urgent messages.
WINDOW = int(os.environ.get("BULKSMS_BENCH_WINDOW", "4"))
#: Callers that post at the same time.
CLIENTS = int(os.environ.get("BULKSMS_BENCH_CLIENTS", "2"))
