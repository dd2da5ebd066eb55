"""What production changes, whichever broker: PostgreSQL, secrets from outside, JSON logs.

Use settings_rabbitmq or settings_redis. docs/howto/go_live.md explains every line. PostgreSQL's own
variables say where it is: PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE. AT_USERNAME, AT_API_KEY
and AT_REPORT_TOKEN are Africa's Talking's (docs/howto/africastalking.md).
"""

from __future__ import annotations

import os

from shop.settings import *  # noqa: F403
from shop.settings import BULKSMS, MIDDLEWARE

DEBUG = False
SECRET_KEY = os.environ["SECRET_KEY"]
ALLOWED_HOSTS = os.environ.get("ALLOWED_HOSTS", "localhost").split(",")

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": os.environ.get("PGDATABASE", "shop"),
        # Kept for a minute and looked at before use: a restart of the server costs no request.
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "connect_timeout": 5,
            # A server that vanished without a word is noticed within half a minute.
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 20_000,
            # A process frozen inside a transaction must not keep its locks.
            "options": "-c idle_in_transaction_session_timeout=10000",
        },
    }
}

MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", *MIDDLEWARE]
BULKSMS = {
    **BULKSMS,
    # The fake carrier stays, for organisations in test mode only.
    "TEST_CARRIER": "fake",
    "ROUTES": {"": "main"},
    "CARRIERS": {
        "fake": BULKSMS["CARRIERS"]["main"],
        "main": {
            "BACKEND": "bulksms.carriers.africastalking.AfricasTalkingCarrier",
            "OPTIONS": {
                "username": os.environ.get("AT_USERNAME", "sandbox"),
                "api_key": os.environ["AT_API_KEY"],
            },
            "REPORT_TOKEN": os.environ["AT_REPORT_TOKEN"],
        },
    },
    # Below the 25 s that a worker gets to stop, so that no stop cuts off a request.
    "SUBMIT_TIMEOUT_S": 20.0,
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "bulksms.logs.JsonFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    # pika says every lost connection a dozen times over; we say it once.
    "loggers": {"pika": {"level": "CRITICAL"}},
}
