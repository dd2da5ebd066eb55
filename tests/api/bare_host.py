"""A host project of its own process: DRF's settings are hostile from the first import on.

No ``rest_framework``, no ``django.contrib.auth``, no middleware. Prints one JSON line per request.
"""

from __future__ import annotations

import json
import sys

import django
from django.conf import settings
from django.core.management import call_command
from django.test import Client
from django.urls import include, path, reverse

from tests.api import hostile


def main() -> None:
    settings.configure(
        **hostile.SETTINGS
        | {
            "SECRET_KEY": "x",
            "MIDDLEWARE": [],
            "INSTALLED_APPS": ["bulksms"],
            "ALLOWED_HOSTS": ["*"],
            "USE_TZ": True,
            "DRAMATIQ_BROKER": None,
            "DATABASES": {
                "default": {
                    "ENGINE": "django.db.backends.sqlite3",
                    "NAME": ":memory:",
                    "ATOMIC_REQUESTS": True,
                }
            },
            "BULKSMS": {
                "CARRIERS": {
                    "main": {
                        "BACKEND": "bulksms.carriers.http.HttpCarrier",
                        "OPTIONS": {"url": "http://127.0.0.1:9/"},
                        "REPORT_TOKEN": "token",
                    }
                }
            },
        }
    )
    django.setup()
    settings.ROOT_URLCONF = (path("sms/", include("bulksms.urls")),)
    call_command("migrate", verbosity=0)
    run()


def run() -> None:
    from tests.factories import make_key, make_organisation

    headers = {"authorization": f"Bearer {make_key(make_organisation(2_000_000))}"}
    client = Client()
    path_ = reverse("bulksms:bulksms_v1:send-bulk")
    order = {"recipients": ["254712345678", "254723456789", "254734567890"], "message": "Hi"}
    sent = client.post(path_, order, "application/json", headers=headers)
    campaign = reverse("bulksms:bulksms_v1:campaign", args=[sent.json()["campaign_id"]])
    answers = [
        sent,
        client.get(campaign, headers=headers),
        client.post(path_, b"{", "application/json", headers=headers),
        client.post(path_, order, "application/json"),
        client.options(path_),
        client.delete(path_, headers=headers),
        client.post("/sms/callbacks/main/token/", {"id": "c1"}, "application/json"),
        client.post("/sms/callbacks/main/wrong/", {"id": "c1"}, "application/json"),
    ]
    for answer in answers:
        body = json.loads(answer.content or b"null")
        sys.stdout.write(json.dumps([answer.status_code, body]) + "\n")


if __name__ == "__main__":
    main()
