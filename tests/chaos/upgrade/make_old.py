"""Makes ``<migration>.json``: every table of a database that an older version has worked in.

``python -m tests.chaos.upgrade.make_old FILE`` in a checkout of that version (copy this file
there), with ``BULKSMS_TEST_DATABASE_URL`` naming an empty PostgreSQL database. It leaves a message
in every state, requests in every state, parked reports, holds and a ledger.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import django

EACH = 3
#: Number prefix -> what becomes of it.
FATES = {
    "254711": {},
    "254712": {"report": "undelivered"},
    "254713": {"report": "expired"},
    "254714": {"report": "rejected"},
    "254715": {"refuse": "blocked"},
    "254716": {"report": False},
}
RULES = [{"match": {"prefix": prefix}, **fate} for prefix, fate in FATES.items() if fate]
LOST = [{"lose_answer": "reset", "report": False}]


def numbers(prefix: str) -> list[str]:
    return [f"{prefix}{100_000 + index}" for index in range(EACH)]


def work() -> None:
    """Leave rows in every state."""
    from django.db import transaction

    from bulksms import clock, send_bulk, states
    from bulksms.carriers.base import ParsedReport
    from bulksms.models import Message
    from bulksms.services import dispatch, reports, routing, settlement
    from bulksms.testing import virtual_clock
    from tests.factories import make_key, make_organisation
    from tests.harness import WithoutQuery, fake_carrier

    organisation = make_organisation()
    make_key(organisation)

    def send(prefix: str, **options: Any) -> Any:
        options = {"organisation": organisation, **options}
        return send_bulk(recipients=numbers(prefix), message="Hi", **options)

    with fake_carrier(rules=RULES, carrier=WithoutQuery) as house:
        send("254716")
        house.run()
        virtual_clock.advance(hours=73)  # no report: unconfirmed
        house.run()
        for prefix in FATES:
            send(prefix)
        house.run()
        house.run()
    with fake_carrier(rules=LOST, carrier=WithoutQuery) as house:
        send("254717")
        house.run()
    send("254718", organisation=make_organisation(balance_micros=1_000_000))  # one is paid for
    cancelled = send("254719")
    with transaction.atomic():
        ids = Message.objects.filter(campaign_id=cancelled.id).values_list("id", flat=True)
        moves = [settlement.Move(id_, states.CANCELLED) for id_ in ids]
        settlement.apply(moves, {cancelled.id}, key="cancel", now=clock.now())
    with fake_carrier(carrier=WithoutQuery, max_batch=EACH):
        virtual_clock.advance(seconds=10)
        carrier = routing.carrier("main")
        dispatch.claim(carrier)
        send("254721")
        begun = dispatch.claim(carrier)
        assert begun is not None
        dispatch.begin(begun)
    send("254722")
    reports.store("main", [ParsedReport("nobody", "unheard-of", "", "delivered", "", "{}")])
    reports.apply_once()


def dump() -> dict[str, Any]:
    """Table -> its rows."""
    from django.apps import apps
    from django.db import connection

    found: dict[str, Any] = {"at": "", "tables": {}}
    with connection.cursor() as cursor:
        for model in apps.get_app_config("bulksms").get_models():
            table = model._meta.db_table
            cursor.execute(f"SELECT coalesce(json_agg(t), '[]')::text FROM {table} t")
            found["tables"][table] = json.loads(cursor.fetchone()[0])
    return found


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    from bulksms import clock

    settings.BULKSMS["CLOCK"] = "bulksms.testing.virtual_clock"
    call_command("migrate", verbosity=0)
    work()
    found = {**dump(), "at": clock.now().isoformat()}
    Path(sys.argv[1]).write_text(json.dumps(found, indent=0, sort_keys=True) + "\n")
