"""The admin is optional: without django.contrib.admin nothing of it is even imported."""

from __future__ import annotations

import subprocess
import sys

HOST = """
import sys
import django
from django.conf import settings

settings.configure(
    SECRET_KEY="x",
    USE_TZ=True,
    ROOT_URLCONF="bulksms.urls",
    INSTALLED_APPS={apps},
    DRAMATIQ_BROKER={{
        "BROKER": "dramatiq.brokers.stub.StubBroker", "OPTIONS": {{}}, "MIDDLEWARE": [],
    }},
    DATABASES={{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}},
)
django.setup()
from django.core.management import call_command

call_command("migrate", verbosity=0)
print(sorted(name for name in sys.modules if name.startswith(("bulksms.admin", "django.contrib"))))
"""


def host(apps: list[str]) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", HOST.format(apps=apps)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_host_without_the_admin_imports_nothing_of_it() -> None:
    assert "bulksms.admin" not in host(["django_dramatiq", "bulksms"])


def test_the_admin_is_there_also_when_bulksms_stands_before_it() -> None:
    apps = [
        "bulksms", "django_dramatiq", "django.contrib.admin", "django.contrib.auth",
        "django.contrib.contenttypes", "django.contrib.sessions", "django.contrib.messages",
    ]  # fmt: skip
    assert "bulksms.admin.campaigns" in host(apps)
