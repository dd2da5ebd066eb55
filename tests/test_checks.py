"""Wrong settings are told by system checks, each with an id and a way out; none is a traceback."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.checks import run_checks

MAIN = {"BACKEND": "bulksms.carriers.locmem.LocmemCarrier"}


def told(bulksms: object, settings: Any, *, deploy: bool = False) -> dict[str, str]:
    """Id -> hint of what the checks say of these settings."""
    settings.BULKSMS = bulksms
    found = run_checks(tags=["bulksms"], include_deployment_checks=deploy)
    return {message.id or "": message.hint or "" for message in found}


WRONG: list[tuple[object, str]] = [
    ([1], "E002"),
    ({"MAX_PART": 3}, "E003"),
    ({"MAX_PARTS": "10"}, "E012"),
    ({"MAX_PARTS": 0}, "E012"),
    ({"MAX_PARTS": True}, "E012"),
    ({"MAX_PARTS": None}, "E012"),
    ({"EXPIRY_S": -1}, "E012"),
    ({"LEASE_S": "60"}, "E012"),
    ({"UNKNOWN_AT_DEADLINE": "keep"}, "E012"),
    ({"CARRIERS": ["main"]}, "E012"),
    ({"CARRIERS": {"main": "locmem"}}, "E013"),
    ({"CARRIERS": {"main": {}}}, "E013"),
    ({"CARRIERS": {"main": {**MAIN, "REPORT_TOKN": "x"}}}, "E013"),
    ({"CARRIERS": {"main": {**MAIN, "OPTIONS": "x"}}}, "E013"),
    ({"ORGANISATION": {"nam": "x"}}, "E014"),
    ({"ORGANISATION": {"currency": "shilling"}}, "E014"),
    ({"ORGANISATION": {"time_zone": "Africa/Nowhere"}}, "E014"),
    ({"CARRIERS": {"main": MAIN}, "ROUTES": {"+254": "main"}}, "E015"),
    ({"CARRIERS": {"main": MAIN}, "ROUTES": {"254": "mian"}}, "E006"),
    ({"TEST_CARRIER": "fake"}, "E016"),
    ({"CLOCK": "no.such.clock"}, "E017"),
    ({"CARRIERS": {"main": {"BACKEND": "no.such.Carrier"}}}, "E005"),
    ({"LEASE_S": 1.0}, "E007"),
    ({"RATE_LIMITS": {"sned": 3}}, "E022"),
]


@pytest.mark.parametrize(
    ("bulksms", "id_"), WRONG, ids=[f"{i}-{id_}" for i, (_, id_) in enumerate(WRONG)]
)
def test_a_wrong_setting_is_named_and_the_way_out_told(
    bulksms: object, id_: str, settings: Any
) -> None:
    found = told(bulksms, settings)

    assert f"bulksms.{id_}" in found
    assert all(found.values()), "every message has a hint"


def test_right_settings_have_nothing_to_be_told(settings: Any) -> None:
    bulksms = {
        "CARRIERS": {"main": MAIN},
        "ROUTES": {"254": "main", "": "main"},
        "MAX_UNFUNDED_A_DAY": None,
        "LEASE_S": 60,
        "ORGANISATION": {"currency": "UGX", "time_zone": "Africa/Kampala"},
    }

    assert not [id_ for id_ in told(bulksms, settings) if id_.startswith("bulksms.E")]


@pytest.mark.django_db
def test_live_messages_to_a_fake_carrier_stop_a_deployment(settings: Any) -> None:
    fake = {
        "BACKEND": "bulksms.carriers.simulator.SimulatorCarrier",
        "OPTIONS": {"url": "http://127.0.0.1:9", "key": "k"},
    }
    real = {**fake, "BACKEND": "bulksms.carriers.http.HttpCarrier"}
    carriers = {"main": real, "fake": fake}

    routed = {"CARRIERS": carriers, "ROUTES": {"": "fake"}}
    apart = {"CARRIERS": carriers, "ROUTES": {"": "main"}, "TEST_CARRIER": "fake"}

    assert "bulksms.E018" in told(routed, settings, deploy=True)
    assert "bulksms.E018" not in told(routed, settings)
    assert "bulksms.E018" not in told(apart, settings, deploy=True)
