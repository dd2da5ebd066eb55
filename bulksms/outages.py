"""What is outside and may be away: its loss is told of once, and its return."""

from __future__ import annotations

import logging
import threading
import time

#: PostgreSQL's words for "this session is over": connection exceptions, shutdowns, crashes, and the
#: time-out of a transaction whose process was frozen.
_ENDED = ("08", "57P", "25P03", "25P04")


class Outage:
    """One such thing.

    ``name`` starts the events (``broker`` -> ``broker.lost``, ``broker.back``); ``meanwhile`` tells
    people what happens until it is back.
    """

    def __init__(self, logger: logging.Logger, name: str, meanwhile: str) -> None:
        self._logger, self._name, self._meanwhile = logger, name, meanwhile
        self._lock = threading.Lock()
        self._since: float | None = None
        self._failures = 0

    @property
    def is_on(self) -> bool:
        return self._since is not None

    def began(self, error: BaseException | str) -> None:
        """It failed; the first time since it worked is logged."""
        with self._lock:
            self._failures += 1
            if self._since is not None:
                return
            self._since = time.monotonic()
        what = error if isinstance(error, str) else type(error).__name__
        self._logger.warning(
            "bulksms: the %s is not reachable (%s); %s", self._name, what, self._meanwhile,
            extra={"event": f"{self._name}.lost", "error": what},
        )  # fmt: skip

    def ended(self) -> None:
        """It works; the first time since it failed is logged."""
        with self._lock:
            if self._since is None:
                return
            seconds, failures = time.monotonic() - self._since, self._failures
            self._since, self._failures = None, 0
        self._logger.warning(
            "bulksms: the %s is back after %.1f s (%d failures)", self._name, seconds, failures,
            extra={"event": f"{self._name}.back", "seconds": round(seconds, 1)},
        )  # fmt: skip


#: This process's database, for everything that must live on without it.
database = Outage(
    logging.getLogger("bulksms.database"), "database", "trying again; work goes on when it is back"
)


def is_lost(error: BaseException) -> bool:
    """Whether a database error means that the connection is gone.

    A reachable server gives its complaints (a deadlock, a lock time-out) a code of their own, and a
    locked SQLite file is there.
    """
    cause = error.__cause__ or error
    if hasattr(cause, "sqlite_errorcode"):
        return False
    code = getattr(cause, "sqlstate", None)
    return code is None or code.startswith(_ENDED)
