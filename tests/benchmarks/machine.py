"""The kind of machine that a run was on."""

from __future__ import annotations

import os
import platform
import sys

import django

#: The database server, noted while there is one: `PostgreSQL 18.1 (fsync off)`
_server: list[str] = []


def note_server(version: int, fsync: str) -> None:
    """``version`` as libpq has it, e.g. 180001; ``fsync`` is on or off."""
    _server[:] = [f"PostgreSQL {version // 10000}.{version % 10000} (fsync {fsync})"]


def described() -> str:
    """`2 cores (x86_64), Python 3.11.7, Django 5.2.19, PostgreSQL 18.1 (fsync off)`"""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    software = [f"Python {platform.python_version()}", f"Django {django.get_version()}", *_server]
    return ", ".join([f"{cores} cores ({platform.machine()})", *software])
