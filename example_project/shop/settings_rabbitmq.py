"""Production on RabbitMQ: BROKER_URL=amqp://user:password@host:5672/vhost."""

from __future__ import annotations

import os

from bulksms import brokers
from shop.settings_production import *  # noqa: F403

DRAMATIQ_BROKER = brokers.configure_rabbitmq(os.environ["BROKER_URL"])
