"""Whether this process can do its work: the database, the broker, the tick. Reads only."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import Error as DatabaseError
from django.db import connection

from bulksms import clock, outages, queues
from bulksms.models import Lease
from bulksms.services.overview import TICK_MISSING

OK, DEGRADED, DOWN = "ok", "degraded", "down"


@dataclass(frozen=True, slots=True)
class Health:
    """None = it could not be asked. ``tick_age_s``: since some worker's tick last beat."""

    database: bool
    broker: bool | None = None
    tick_age_s: float | None = None

    @property
    def tick(self) -> bool | None:
        if not self.database:
            return None
        return self.tick_age_s is not None and self.tick_age_s <= TICK_MISSING.total_seconds()

    @property
    def status(self) -> str:
        """``degraded``: requests are accepted and kept, but nothing may be sent just now."""
        if not self.database:
            return DOWN
        return DEGRADED if self.broker is False or not self.tick else OK


def is_database_there() -> bool:
    """Whether the database answers; a connection that it dropped is not used again."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        outages.database.began(error)
        connection.close()
        return False
    outages.database.ended()
    return True


def look() -> Health:
    """Everything, within the broker's time-out (WAKE_TIMEOUT_S) and one query or two."""
    broker = queues.is_reachable()
    if not is_database_there():
        return Health(database=False, broker=broker)
    lease = Lease.objects.filter(name="tick").first()
    age = None if lease is None else (clock.now() - lease.beaten_at).total_seconds()
    return Health(database=True, broker=broker, tick_age_s=age)
