"""Production on Redis: BROKER_URL=redis://host:6379/0."""

from __future__ import annotations

import os

from bulksms import brokers
from shop.settings_production import *  # noqa: F403

DRAMATIQ_BROKER = brokers.configure_redis(os.environ["BROKER_URL"])
