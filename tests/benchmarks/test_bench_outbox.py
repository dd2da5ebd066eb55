"""The outbox dialect beside v1: the same 10,000 recipients, the same texts, the same work below."""

from __future__ import annotations

import json
import statistics
import time
from typing import Any

import pytest
from django.test import Client

from tests.benchmarks.table import Row, add
from tests.factories import kenyan_numbers, make_key, make_organisation

pytestmark = [pytest.mark.bench, pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

ROUNDS = 5
TEXT = "Dear customer, your bill of KES 1,250 is due on 20th Dec. Pay to avoid disconnection."
LONG = "Dear customer number {}, your bill is due. Pay to avoid disconnection. "
GOAL = 2.0


def beside_v1(client: Client, ours: Any, v1: Any) -> tuple[float, float]:
    """Seconds of both, median of rounds in turn: what else the machine does hits both alike."""
    taken: dict[str, list[float]] = {"/api/sms/send-bulk": [], "/v1/sms/send-bulk/": []}
    headers = {"authorization": f"Bearer {make_key(make_organisation(10**15))}"}
    bodies = [json.dumps(ours), json.dumps(v1)]
    for _ in range(ROUNDS):
        for path, body in zip(taken, bodies, strict=True):
            started = time.perf_counter()
            answer = client.post(path, body, content_type="application/json", headers=headers)
            taken[path].append(time.perf_counter() - started)
            assert answer.status_code == 201, answer.content[:500]
    first, second = taken.values()
    return statistics.median(first), statistics.median(second)


def test_one_text_for_10000_beside_v1(client: Client) -> None:
    body = {"recipients": kenyan_numbers(10_000), "message": TEXT}
    ours, v1 = beside_v1(client, body, body)

    add(Row("outbox send-bulk, 10,000 x one text", ours, "v1 send-bulk of the same", v1, GOAL))


def test_own_texts_of_three_parts_for_10000_beside_v1(client: Client) -> None:
    texts = [(number, LONG.format(number) * 5) for number in kenyan_numbers(10_000)]
    items = [{"recipient": number, "message": text} for number, text in texts]
    messages = [{"to": number, "message": text} for number, text in texts]
    ours, v1 = beside_v1(client, items, {"messages": messages})

    add(Row("outbox send-bulk, 10,000 own texts of 3 parts", ours, "v1 send-bulk of the same", v1,
            GOAL))  # fmt: skip


def test_own_labels_for_each_of_10000_beside_v1(client: Client) -> None:
    """The most that this dialect can be asked for: a row of labels beside every message."""
    numbers = kenyan_numbers(10_000)
    items = [
        {"recipient": number, "message": f"{TEXT} {number}", "messageName": f"Bill {number}",
         "customData": {"id": number}}
        for number in numbers
    ]  # fmt: skip
    messages = [{"to": number, "message": f"{TEXT} {number}"} for number in numbers]
    ours, v1 = beside_v1(client, items, {"messages": messages})

    add(Row("outbox send-bulk, 10,000 with labels each", ours, "v1, which has no such labels", v1,
            GOAL))  # fmt: skip
