"""Settings of the web server and the workers in a storm: as docs/howto/go_live.md has them, but for
shorter leases. Where everything is comes from the environment.
"""

from __future__ import annotations

import os

from bulksms import brokers
from tests.plugins.databases import URL_VARIABLE, database_from_url
from tests.settings import *  # noqa: F403

ROOT_URLCONF = "bulksms.urls"
DATABASES = {
    "default": {
        **database_from_url(os.environ.get(URL_VARIABLE, "sqlite://")),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }
}
if DATABASES["default"]["ENGINE"].endswith("postgresql"):
    DATABASES["default"]["OPTIONS"] |= {
        "connect_timeout": 3,
        # A frozen process must not keep its locks for ever.
        "options": "-c idle_in_transaction_session_timeout=5000 -c lock_timeout=10000",
    }

_BROKER = os.environ.get("CHAOS_BROKER", "redis://127.0.0.1:9/0")
if os.environ.get("CHAOS_BROKER_DEFAULTS"):
    DRAMATIQ_BROKER = {
        "BROKER": "dramatiq.brokers.redis.RedisBroker",
        "OPTIONS": {"url": _BROKER},
        "MIDDLEWARE": list(brokers.MIDDLEWARE),
    }
elif _BROKER.startswith("redis"):
    DRAMATIQ_BROKER = brokers.configure_redis(_BROKER)
else:
    DRAMATIQ_BROKER = brokers.configure_rabbitmq(_BROKER)

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django_dramatiq",
    "bulksms",
    "tests.chaos.apps.ChaosConfig",
]
MIDDLEWARE: list[str] = []
SECRET = "whsec_dGVzdHMgb25seTogbm90IGEgc2VjcmV0"
TOKEN = "chaos"
BULKSMS = {
    "CARRIERS": {
        "main": {
            "BACKEND": "tests.chaos.carriers.QuickCarrier",
            "OPTIONS": {
                "url": os.environ.get("CHAOS_CARRIER", "http://127.0.0.1:9"),
                "report_secret": SECRET,
                "max_batch": int(os.environ.get("CHAOS_MAX_BATCH", "50")),
                "window": 8,
                "connect_timeout_s": 1.0,
            },
            "REPORT_TOKEN": TOKEN,
        }
    },
    "CONNECT_TIMEOUT_S": 1.0,
    "SUBMIT_TIMEOUT_S": 5.0,
    "LEASE_S": 8.0,
    "TIME_LIMIT_S": 20.0,
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "bulksms.logs.JsonFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {"pika": {"level": "CRITICAL"}},
}
