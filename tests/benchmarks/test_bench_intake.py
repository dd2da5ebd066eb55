"""Accepting 10,000 recipients in one call, beside a COPY of the rows that come of it."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.benchmarks import bare
from tests.benchmarks.cpu import Spent, backend, cpu_ratio, spent, wall
from tests.benchmarks.table import Row, add
from tests.benchmarks.work import RECIPIENTS, TEXT, post
from tests.factories import kenyan_numbers, make_key, make_organisation

pytestmark = [pytest.mark.bench, pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

ROUNDS = 5
OWN = "Dear customer {}, your bill of KES 1,250 is due on 20th Dec. Pay to avoid disconnection."
COPY = "COPY of the same rows, same indexes"


def beside_copy(client: Client, body: object) -> tuple[list[Spent], list[Spent]]:
    """A POST of the body and a COPY of its rows, in turn: what disturbs one disturbs both."""
    key = make_key(make_organisation(10**15))
    post(client, key, body)
    ours, copies = [], []
    with bare.database() as plain:
        for _ in range(ROUNDS):
            with spent(backend()) as seconds:
                answer = post(client, key, body)
            ours.append(seconds)
            assert answer["queued"] == RECIPIENTS
            columns, rows = bare.rows_of(
                plain, "bulksms_message", "campaign_id = %s", answer["campaign_id"]
            )
            with spent(plain.info.backend_pid) as seconds:
                seconds_s = bare.copy(plain, columns, rows)
            copies.append(Spent(seconds_s, seconds.cpu_s))
    return ours, copies


def test_one_text_for_10000_recipients_beside_copy(client: Client) -> None:
    body = {"recipients": kenyan_numbers(RECIPIENTS), "message": TEXT}
    ours, copies = beside_copy(client, body)

    add(
        Row(
            "POST /v1/sms/send-bulk/, 10,000 recipients", wall(ours), COPY, wall(copies), 3.0,
            was=2.8, cpu_ratio=cpu_ratio(ours, copies),
        )
    )  # fmt: skip


def test_own_texts_for_10000_recipients_beside_copy(client: Client) -> None:
    numbers = kenyan_numbers(RECIPIENTS)
    body = {"messages": [{"to": number, "message": OWN.format(number)} for number in numbers]}
    ours, copies = beside_copy(client, body)

    add(
        Row(
            "POST /v1/sms/send-bulk/, 10,000 different texts", wall(ours), COPY, wall(copies), 4.0,
            cpu_ratio=cpu_ratio(ours, copies),
        )
    )  # fmt: skip
