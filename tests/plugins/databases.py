"""From a database URL to Django's DATABASES entry, for the databases that the suite runs on."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

# The plugin writes the URL of the run's database here; settings and xdist's workers read it.
URL_VARIABLE = "BULKSMS_TEST_DATABASE_URL"

SQLITE_OPTIONS = {
    # As a host is told to run it, but for `synchronous`: no test survives a power cut.
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
}


def database_from_url(url: str) -> dict[str, Any]:
    """`postgresql://user:password@host:port/name?host=/socket/folder` or `sqlite:////path`."""
    parts = urlsplit(url)
    if parts.scheme in ("postgres", "postgresql", "psql"):
        return _postgresql(url)
    if parts.scheme == "sqlite":
        path = unquote(parts.path).removeprefix("/") or ":memory:"
        return _sqlite(path)
    raise ValueError(
        f"{parts.scheme}:// is no database of this project: postgresql:// or sqlite://"
    )


def _postgresql(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    socket_folder = options.pop("host", "")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.removeprefix("/")) or "postgres",
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": socket_folder or parts.hostname or "",
        "PORT": str(parts.port or ""),
        "OPTIONS": options,
    }


def _sqlite(path: str) -> dict[str, Any]:
    # A file also for tests: a database in memory cannot be shared by threads and processes.
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "OPTIONS": SQLITE_OPTIONS,
        "TEST": {"NAME": None if path == ":memory:" else path},
    }
