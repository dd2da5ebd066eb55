"""What a Django team writes today: a retrying task around the carrier's own SDK.

Not a caricature. The real ``africastalking`` package, rows with a state, a chunk per task, retries
with backoff, late acknowledgement, results and balance written in one transaction, and a second run
leaves out what is already marked as sent. The balance is debited by what the SDK says it cost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import africastalking
from django.db import connection, transaction

from tests.versus import celerylike
from tests.versus.figures import FAILED, OPEN, SENT, Entry

NAME = "SDK in a retrying task"
SCHEMA = """
CREATE TABLE versus_sms (
    number text PRIMARY KEY, status text NOT NULL, carrier_id text, cost_micros bigint NOT NULL
);
CREATE TABLE versus_balance (micros bigint NOT NULL);
INSERT INTO versus_balance VALUES (10000000000);
"""
MAX_RETRIES = 5
SENDER = "SHOP"
#: Of a recipient's row in the answer: processed, sent, queued.
TAKEN = (100, 101, 102)


def install() -> None:
    """The team's tables."""
    with connection.cursor() as cursor:
        cursor.execute(SCHEMA + celerylike.SCHEMA)


def uninstall() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS versus_sms, versus_balance, versus_queue")


def send(numbers: Sequence[str], text: str, chunk: int) -> None:
    """The view: a row per message, a task per chunk."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO versus_sms VALUES (%s, 'pending', NULL, 0)", [[n] for n in numbers]
            )
        for start in range(0, len(numbers), chunk):
            send_chunk.delay(numbers=list(numbers[start : start + chunk]), text=text)


def give_up(numbers: Sequence[str], text: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE versus_sms SET status = 'failed' WHERE number = ANY(%s) AND status = 'pending'",
            [list(numbers)],
        )


@celerylike.shared_task(max_retries=MAX_RETRIES, on_failure=give_up)
def send_chunk(numbers: Sequence[str], text: str) -> None:
    """The task: send what is not sent yet, write down what the carrier says."""
    waiting = _pending(numbers)
    if not waiting:
        return
    answer = africastalking.SMS.send(text, [f"+{number}" for number in waiting], sender_id=SENDER)
    with transaction.atomic():
        _record(answer["SMSMessageData"]["Recipients"])


def _pending(numbers: Sequence[str]) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT number FROM versus_sms WHERE number = ANY(%s) AND status = 'pending'"
            " ORDER BY number",
            [list(numbers)],
        )
        return [number for (number,) in cursor.fetchall()]


def _record(recipients: Sequence[Mapping[str, Any]]) -> None:
    rows = []
    for recipient in recipients:
        taken = recipient["statusCode"] in TAKEN
        cost = int(Decimal(recipient["cost"].rpartition(" ")[2]) * 1_000_000) if taken else 0
        number = recipient["number"].removeprefix("+")
        rows.append([SENT if taken else FAILED, recipient["messageId"], cost, number])
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE versus_sms SET status = %s, carrier_id = %s, cost_micros = %s"
            " WHERE number = %s",
            rows,
        )
        total = sum(cost for _, _, cost, _ in rows)
        cursor.execute("UPDATE versus_balance SET micros = micros - %s", [total])


def work(url: str) -> None:
    """A worker process, until it is killed."""
    africastalking.initialize("shop", "test-key")
    africastalking.SMS._baseUrl = f"{url}/version1"
    celerylike.work()


def is_done() -> bool:
    return celerylike.is_empty()


def books() -> dict[str, Entry]:
    """What the team can look up about every message."""
    says = {"pending": OPEN, SENT: SENT, FAILED: FAILED}
    with connection.cursor() as cursor:
        cursor.execute("SELECT number, status, cost_micros FROM versus_sms")
        return {number: Entry(says[status], cost) for number, status, cost in cursor.fetchall()}
