"""A broker that is away is told of once, not by every thread every three seconds."""

from __future__ import annotations

import logging

from dramatiq.errors import ConnectionClosed

from bulksms.outages import Outage

#: dramatiq logs as ``<module>.<class>``; these threads repeat the same news while a broker is away.
CONSUMER_THREAD = "dramatiq.worker.ConsumerThread({})"
#: What they then say again and again. Everything else passes.
REPEATED = (
    "Consumer encountered a connection error",
    "Restarting consumer in",
    "Failed to post_process_message",
)


class _Repeats(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not str(record.msg).startswith(REPEATED)


_repeats = _Repeats()


def watch() -> Outage:
    """The outage of a broker's consumers."""
    return Outage(
        logging.getLogger("bulksms.brokers"), "broker", "trying again; nothing is lost meanwhile"
    )


def closed(error: Exception) -> ConnectionClosed:
    """What dramatiq's threads survive; all else ends them."""
    return ConnectionClosed(error)  # type: ignore[no-untyped-call]


def hush(queue_name: str) -> None:
    """Drop the repeated lines of the thread that consumes ``queue_name``; our own line stands."""
    logger = logging.getLogger(CONSUMER_THREAD.format(queue_name))
    if _repeats not in logger.filters:
        logger.addFilter(_repeats)
