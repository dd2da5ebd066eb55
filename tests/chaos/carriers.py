"""A carrier that settles within seconds, and is asked again as soon: a storm lasts a minute."""

from __future__ import annotations

import datetime as dt

from bulksms.carriers.simulator import SimulatorCarrier
from bulksms.services import resolving

SETTLES_AFTER_S = 3.0

resolving.ASK_AGAIN = dt.timedelta(seconds=SETTLES_AFTER_S)


class QuickCarrier(SimulatorCarrier):
    """The simulator, asked about unknown messages without much delay."""

    query_settles_after_s = SETTLES_AFTER_S
