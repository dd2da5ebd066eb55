"""Settings of the example project: SQLite, an in-process broker, the bundled fake carrier.

Everything that bulksms needs of a host project stands here, in this order: the database options,
the broker, the installed apps, the BULKSMS dict.
"""

from __future__ import annotations

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = "example only: make your own"
DEBUG = True
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "shop.urls"
USE_TZ = True
TIME_ZONE = "Africa/Nairobi"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# SQLite works under several writers with these two options. In production: PostgreSQL.
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("EXAMPLE_DATABASE", str(BASE_DIR / "example.sqlite3")),
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL;",
            "timeout": 20,
        },
    }
}

# The embedded default: messages live in this process, the outbox's tick repairs what memory loses.
# In production: RabbitMQ or Redis. Always give the middleware list.
DRAMATIQ_BROKER = {
    "BROKER": "dramatiq.brokers.stub.StubBroker",
    "OPTIONS": {},
    "MIDDLEWARE": [
        "dramatiq.middleware.AgeLimit",
        "dramatiq.middleware.TimeLimit",
        "dramatiq.middleware.Retries",
        "django_dramatiq.middleware.DbConnectionsMiddleware",
    ],
}

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_dramatiq",
    "bulksms",
    "shop",
]

# What Django's admin needs, and nothing else; bulksms runs without it too.
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
STATIC_URL = "/static/"

BULKSMS = {
    "ORGANISATION": {
        "name": "Example shop",
        "slug": "shop",
        "currency": "KES",
        "sender_id": "SHOP",
    },
    "CARRIERS": {
        "main": {
            "BACKEND": "bulksms.carriers.simulator.SimulatorCarrier",
            "OPTIONS": {
                "url": os.environ.get("EXAMPLE_SIMULATOR_URL", "http://127.0.0.1:8090"),
                "key": "example",
                "report_secret": "whsec_ZXhhbXBsZSBvbmx5OiBtYWtlIHlvdXIgb3duIQ==",
                "max_batch": 200,
                # SQLite has one writer: more requests at a time would only wait for each other.
                # Two, and the last one is kept for urgent messages.
                "window": 3,
            },
            "REPORT_TOKEN": "example-token-make-your-own",
        }
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {
        "bulksms": {"handlers": ["console"], "level": "WARNING"},
        "django.request": {"level": "ERROR"},
    },
}
