"""The clock of shared_app: the one that the simulator writes."""

from __future__ import annotations

import os

from bulksms.testing import SharedClock

clock = SharedClock(os.environ["CLOCK_FILE"])
