"""RabbitMQ as a broker: confirmed publishing, and time-outs that notice a silent server.

Without confirms a lost queue or a crash drops messages silently; without heartbeats a publisher
waits for ever for the confirm of a server that is gone.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from dramatiq import Consumer
from dramatiq.brokers.rabbitmq import RabbitmqBroker as DramatiqBroker
from dramatiq.errors import ConnectionClosed
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import AMQPError

from bulksms.brokers import quiet
from bulksms.brokers.quiet import closed

#: pika's names and units (seconds).
PARAMETERS = {
    "heartbeat": "10",
    "blocked_connection_timeout": "5",
    "connection_attempts": "1",
    "socket_timeout": "2",
    "stack_timeout": "3",
}
#: How a connection is refused or lost; a handshake that meets silence raises none of AMQPError.
LOSSES = (ConnectionClosed, AMQPError, AMQPConnectorException, OSError)


def with_parameters(url: str) -> str:
    """``url`` with our time-outs in its query; what it already has there stays."""
    parts = urlsplit(url)
    query = {**PARAMETERS, **dict(parse_qsl(parts.query))}
    return urlunsplit(parts._replace(query=urlencode(query)))


class RabbitmqBroker(DramatiqBroker):
    """dramatiq's, with finite time-outs and confirms; ``url`` may be several with ``;`` between."""

    def __init__(self, *, url: str, confirm_delivery: bool = True, **options: Any) -> None:
        urls = [with_parameters(one) for one in url.split(";")]
        super().__init__(url=urls, confirm_delivery=confirm_delivery, **options)
        self._outage = quiet.watch()

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:
        quiet.hush(queue_name)
        try:
            consumer = super().consume(queue_name, prefetch, timeout)
        except LOSSES as error:
            self._outage.began(error)
            raise closed(error) from None
        self._outage.ended()
        return consumer

    def ping(self) -> None:
        """Whether it answers. Raises ConnectionClosed."""
        try:
            self.connection.process_data_events()
        except (*LOSSES, ValueError):  # an idle connection is closed by the server: a new one tells
            del self.connection
            self._connect()

    def _connect(self) -> None:
        try:
            self.connection.process_data_events()
        except LOSSES as error:
            del self.connection
            raise closed(error) from None
