"""The suite on every Python/Django pair that we support: ``make matrix``.

A pair whose interpreter is not here is skipped, loudly. Arguments after ``--`` are pytest's.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import nox

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = False

#: Django 6 needs Python 3.12; 5.2 is the long-term one.
PAIRS = (("3.11", "5.2"), ("3.12", "6.0"), ("3.13", "6.1"))
SERVICES = "not bench and not redis and not rabbitmq and not browser"


def find(python: str) -> str | None:
    """The interpreter: on the path, or pyenv's newest of that version."""
    if found := shutil.which(f"python{python}"):
        return found if "shims" not in found else _of_pyenv(python)
    return _of_pyenv(python)


def _of_pyenv(python: str) -> str | None:
    found = sorted((Path.home() / ".pyenv" / "versions").glob(f"{python}.*/bin/python"))
    return str(found[-1]) if found else None


def tests(session: nox.Session, django: str) -> None:
    """Install the project with one Django and run the suite on PostgreSQL."""
    session.install("-e", ".[dev,testdb]", f"django=={django}.*")
    session.run("python", "-m", "django", "--version")
    chosen = session.posargs or ["-n", "2", "-m", SERVICES]
    session.run("python", "-W", "error::SyntaxWarning", "-m", "pytest", "-q", *chosen)


def skip(session: nox.Session, python: str) -> None:
    """Say what was not tested."""
    session.warn(f"NOT TESTED: there is no Python {python} on this machine")
    session.skip(f"no Python {python}")


def _add(python: str, django: str) -> None:
    name = f"py{python}-django{django}"
    interpreter = find(python)

    @nox.session(name=name, python=interpreter or False)
    def session(session: nox.Session) -> None:
        if interpreter is None:
            skip(session, python)
        tests(session, django)


for pair in PAIRS:
    _add(*pair)
