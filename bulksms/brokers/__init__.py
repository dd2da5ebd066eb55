"""The broker settings that a production host wants, as one line of its settings.

``DRAMATIQ_BROKER = brokers.configure_rabbitmq("amqp://user:password@host:5672/vhost")``, or
``configure_redis("redis://host:6379/0")``. Nothing here reads Django's settings: they are in the
making.
"""

from __future__ import annotations

from typing import Any

#: Always given: django-dramatiq's default list names middleware that dramatiq 2 has not.
MIDDLEWARE = (
    "dramatiq.middleware.AgeLimit",
    "dramatiq.middleware.TimeLimit",
    "dramatiq.middleware.ShutdownNotifications",
    "dramatiq.middleware.Callbacks",
    "dramatiq.middleware.Retries",
    "django_dramatiq.middleware.DbConnectionsMiddleware",
)


def configure_rabbitmq(url: str, **options: Any) -> dict[str, Any]:
    """``DRAMATIQ_BROKER`` for RabbitMQ at ``url`` (``amqp://user:password@host:5672/vhost``).

    Several servers: their URLs with ``;`` in between. ``options`` as ``RabbitmqBroker`` takes them.
    """
    return _settings("bulksms.brokers.rabbitmq.RabbitmqBroker", {"url": url, **options})


def configure_redis(url: str, **options: Any) -> dict[str, Any]:
    """``DRAMATIQ_BROKER`` for Redis at ``url`` (``redis://host:6379/0``).

    Give it a Redis of its own. ``options`` as ``RedisBroker`` takes them.
    """
    return _settings("bulksms.brokers.redis.RedisBroker", {"url": url, **options})


def _settings(broker: str, options: dict[str, Any]) -> dict[str, Any]:
    return {"BROKER": broker, "OPTIONS": options, "MIDDLEWARE": list(MIDDLEWARE)}
