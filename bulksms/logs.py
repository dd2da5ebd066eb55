"""Log lines as JSON, one object each.

Every line of bulksms is an event: its name is ``extra["event"]`` or else where it was logged, its
ids are extras. None has a number, a text or a key in it.
"""

from __future__ import annotations

import datetime as dt
import json
import logging

#: What every record has; anything else came as an extra.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """One JSON object per line: ``at level event message``, then the ids that came as extras."""

    def format(self, record: logging.LogRecord) -> str:
        extras = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        line = {
            "at": dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat("T", "milliseconds"),
            "level": record.levelname,
            "event": extras.pop("event", f"{record.module}.{record.funcName}"),
            "logger": record.name,
            "process": record.process,
            "message": record.getMessage(),
            **extras,
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)
