"""Host projects: mounted in parts, elsewhere, and in a process that is hostile from its start."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient
from django.urls import include, path, resolve, reverse

from bulksms import checks
from tests.api import hostile
from tests.api.helpers import Api, assert_problem
from tests.factories import make_key, make_organisation

ROOT = Path(__file__).resolve().parents[2]


def test_the_addresses_are_those_of_the_page() -> None:
    assert reverse("bulksms:bulksms_v1:send-bulk") == "/v1/sms/send-bulk/"
    assert reverse("bulksms:bulksms_v1:campaign", args=["x"]) == "/v1/sms/campaigns/x/"
    assert reverse("bulksms:bulksms_v1:balance") == "/v1/balance/"
    assert reverse("bulksms:bulksms_callbacks:reports", args=["a", "b"]) == "/callbacks/a/b/"


@pytest.mark.django_db
def test_v1_alone(settings) -> None:
    settings.ROOT_URLCONF = (path("", include("bulksms.api.v1.urls")),)

    assert reverse("bulksms_v1:send-bulk") == "/v1/sms/send-bulk/"
    assert_problem(Api(None).get("/v1/balance/"), 401, "authentication_failed")


def test_callbacks_alone_and_elsewhere(settings) -> None:
    settings.ROOT_URLCONF = (path("hooks/", include("bulksms.api.callbacks")),)

    assert reverse("bulksms_callbacks:reports", args=["a", "b"]) == "/hooks/callbacks/a/b/"
    assert_problem(Api(None).post("/hooks/callbacks/a/b/", {}), 404, "not_found")


def test_no_view_is_in_a_transaction_of_the_hosts() -> None:
    for address in ("/v1/sms/send-bulk/", "/v1/balance", "/v1/sms/nothing", "/callbacks/a/b/"):
        view = resolve(address).func
        assert "default" in view._non_atomic_requests
        assert view.csrf_exempt


@pytest.mark.django_db(transaction=True)
def test_under_asgi() -> None:
    headers = {"authorization": f"Bearer {make_key(make_organisation())}"}
    order = {"recipients": ["254712345678"], "message": "Hi"}

    answer = async_to_sync(AsyncClient().post)(
        "/v1/sms/send-bulk/", order, "application/json", headers=headers
    )

    assert (answer.status_code, answer.json()["queued"]) == (201, 1)


class Elsewhere:
    """A router that sends everything to another database."""

    def db_for_read(self, *_: object, **__: object) -> str:
        return "elsewhere"


def test_a_router_that_sends_us_elsewhere_is_an_error(settings) -> None:
    assert checks.check_router() == []
    settings.DATABASE_ROUTERS = [hostile.Router()]
    assert checks.check_router() == []
    settings.DATABASE_ROUTERS = [Elsewhere()]

    (found,) = checks.check_router()
    assert found.id == "bulksms.E023"


@pytest.mark.parametrize("wrong", [{"sendbulk": 60}, {"send": "60"}, {"send": -1}, {"send": True}])
def test_a_limit_that_is_none_is_an_error(settings, wrong) -> None:
    settings.BULKSMS = {**settings.BULKSMS, "RATE_LIMITS": {"read": None, "send-bulk": 0}}
    assert checks.check_limits() == []
    settings.BULKSMS = {**settings.BULKSMS, "RATE_LIMITS": wrong}

    (found,) = checks.check_limits()
    assert found.id == "bulksms.E022"


@pytest.mark.slow
def test_a_bare_host_that_is_hostile_from_the_first_import_on() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.api.bare_host"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert ran.returncode == 0, ran.stderr
    sent, campaign, cut_off, keyless, options, deleted, stored, lost = map(
        json.loads, ran.stdout.splitlines()
    )
    assert (sent[0], sent[1]["queued"], sent[1]["failed"]) == (207, 2, 1)
    assert sent[1]["errors"][0]["detail"] == (
        "Insufficient balance. Required KES 1.00, available KES 0.00."
    )
    assert (campaign[0], campaign[1]["total_cost"]) == (200, "2.00")
    assert campaign[1]["created_at"].endswith("Z")
    assert options == [204, None]
    assert stored == [200, {"stored": 1}]
    codes = [(status, body["code"]) for status, body in (cut_off, keyless, deleted, lost)]
    assert codes == [
        (400, "invalid_json"),
        (401, "authentication_failed"),
        (405, "method_not_allowed"),
        (404, "not_found"),
    ]
