"""The API's documents in the browser: a host opts in, and nothing comes from another host."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.urls import clear_url_caches, include, path

import bulksms

#: A host may have ATOMIC_REQUESTS.
pytestmark = pytest.mark.django_db
SCRIPT = Path(bulksms.__file__).parent / "static" / "bulksms" / "api_docs.js"


@pytest.fixture
def client(host, settings) -> Client:
    """Of a host that opted in. Whether one must log in to read is the host's to say."""
    settings.MIDDLEWARE = [m for m in settings.MIDDLEWARE if "LoginRequired" not in m]
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "drf_spectacular_sidecar"]
    urls: Any = ModuleType("urls_with_docs")
    urls.urlpatterns = [
        path("api-docs/", include("bulksms.api.docs_urls")),
        path("", include("bulksms.urls")),
    ]
    settings.ROOT_URLCONF = urls
    clear_url_caches()
    return Client()


@pytest.mark.parametrize("dialect", ["v1", "outbox"])
def test_the_page_refers_to_this_host_alone(client, settings, dialect) -> None:
    answer = client.get(f"/api-docs/{dialect}/")
    places = re.findall(r'(?:src|href|data-document)="([^"]*)"', answer.content.decode())

    assert answer.status_code == 200
    assert len(places) == 5
    files = [place for place in places if place != "openapi.json"]
    assert all(file.startswith(settings.STATIC_URL) for file in files)
    assert [file for file in files if not finders.find(file[len(settings.STATIC_URL) :])] == []
    assert b"//" not in answer.content


def test_the_browser_is_told_to_ask_no_other_host(client) -> None:
    policy = client.get("/api-docs/v1/")["Content-Security-Policy"]

    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert "connect-src 'self'" in policy
    assert "http" not in policy


def test_static_files_on_a_host_of_their_own_are_allowed_and_nothing_else(client, settings) -> None:
    settings.STATIC_URL = "https://static.example.com/s/"

    policy = client.get("/api-docs/v1/")["Content-Security-Policy"]

    assert "script-src 'self' https://static.example.com;" in policy
    assert "connect-src 'self';" in policy


def test_no_validator_on_the_internet_is_asked() -> None:
    script = SCRIPT.read_text()

    assert "validatorUrl: null" in script
    assert "://" not in script


@pytest.mark.parametrize(
    ("dialect", "address"), [("v1", "/v1/openapi.json"), ("outbox", "/api/sms/openapi.json")]
)
def test_the_document_beside_the_page_is_the_one_of_the_api(client, dialect, address) -> None:
    beside = client.get(f"/api-docs/{dialect}/openapi.json")

    assert beside.status_code == 200
    assert beside.content == client.get(address).content


def test_a_host_that_did_not_opt_in_has_no_such_page(host, settings) -> None:
    settings.MIDDLEWARE = []
    assert Client().get("/api-docs/v1/").status_code == 404


def test_without_the_files_of_the_page_the_host_is_told_what_to_add(monkeypatch) -> None:
    monkeypatch.delitem(sys.modules, "bulksms.api.docs_urls", raising=False)

    with pytest.raises(ImproperlyConfigured, match='add "drf_spectacular_sidecar"'):
        include("bulksms.api.docs_urls")
