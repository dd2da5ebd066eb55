"""Redis as a broker that really redelivers, and that a silent server cannot stop for ever.

dramatiq's defaults wait 60 s for a heartbeat, look for dead workers once in a thousand commands,
and never give up a socket that stays silent. docs/howto/go_live.md says what that costs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import redis
from dramatiq import Consumer
from dramatiq.brokers.redis import RedisBroker as DramatiqBroker
from redis.backoff import NoBackoff
from redis.retry import Retry

from bulksms.brokers import quiet
from bulksms.brokers.quiet import closed

#: A worker without a sign of life for this long is dead: its messages go to the others.
HEARTBEAT_TIMEOUT_MS = 15_000
#: Of a million commands, so many look for dead workers (each live thread sends one a second).
MAINTENANCE_CHANCE = 100_000


class RedisBroker(DramatiqBroker):
    """dramatiq's, with finite time-outs; every loss of the connection is a ``ConnectionClosed``.

    ``url`` may carry redis-py's own options in its query; they win.
    """

    def __init__(
        self,
        *,
        url: str,
        connect_timeout_s: float = 1.0,
        answer_timeout_s: float = 3.0,
        heartbeat_timeout: int = HEARTBEAT_TIMEOUT_MS,
        maintenance_chance: int = MAINTENANCE_CHANCE,
        **options: Any,
    ) -> None:
        client = redis.Redis.from_url(
            url, socket_connect_timeout=connect_timeout_s, socket_timeout=answer_timeout_s,
            # Once more at once: the server may have closed an idle socket. Never after a time-out.
            retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
        )  # fmt: skip
        super().__init__(  # type: ignore[no-untyped-call]
            client=client, heartbeat_timeout=heartbeat_timeout,
            maintenance_chance=maintenance_chance, **options,
        )  # fmt: skip
        self._outage = quiet.watch()

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:
        quiet.hush(queue_name)
        return super().consume(queue_name, prefetch, timeout)

    def ping(self) -> None:
        """Whether it answers. Raises ConnectionClosed."""
        self._watched(self.client.ping)

    def _dispatch(self, command: str) -> Callable[..., Any]:
        dispatch = super()._dispatch(command)  # type: ignore[no-untyped-call]
        return lambda *args: self._watched(dispatch, *args)

    def _watched(self, call: Callable[..., Any], *args: Any) -> Any:
        """dramatiq lets a time-out, and any loss while requeueing, end the consumer's thread."""
        try:
            answer = call(*args)
        except (redis.ConnectionError, redis.TimeoutError) as error:
            self._outage.began(error)
            raise closed(error) from None
        self._outage.ended()
        return answer
