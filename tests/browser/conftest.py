"""A real Chromium on a real server: ``make browser``. Pictures go to docs/images."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import Permission, User
from django.test import Client

from bulksms.admin import dashboard
from bulksms.testing import virtual_clock
from tests.harness import FakeCarrier, fake_carrier

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
#: What the pictures are taken of, in pixels.
DESKTOP = {"width": 1100, "height": 720}
PHONE = {"width": 390, "height": 844}
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The system's Chromium, driven by Playwright. Where there is none, a skip that says so."""
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("NO CHROMIUM HERE: apt-get install chromium, then: make browser")
    api = pytest.importorskip(
        "playwright.sync_api", reason="PLAYWRIGHT IS NOT INSTALLED: make browser installs it"
    )
    # Playwright keeps an event loop in this thread; Django would refuse its database there.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(autouse=True)
def _virtual_time(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Time stands still until the test moves it; the dashboard looks again every second."""
    virtual_clock.reset()
    settings.BULKSMS = {**settings.BULKSMS, "CLOCK": "bulksms.testing.virtual_clock"}
    monkeypatch.setattr(dashboard, "NUMBERS_S", 1)
    monkeypatch.setattr(dashboard, "CHARTS_S", 1)


Login = Callable[..., Any]


@pytest.fixture
def login(chromium: Any, live_server: Any, transactional_db: None) -> Iterator[Login]:
    """``login("view_wallet")``: a page of somebody who may do just that; ``login()``: everything.

    Fails the test for an error in the page's console and for any request to another host.
    """
    contexts, complaints = [], []

    def open_page(*permissions: str, **options: Any) -> Any:
        options = {"viewport": DESKTOP, "color_scheme": "light", **options}
        context = chromium.new_context(base_url=live_server.url, **options)
        contexts.append(context)
        context.add_cookies([_session(_user(permissions), live_server.url)])
        context.add_init_script("localStorage.setItem('django.admin.navSidebarIsOpen', 'false')")
        # Every browser asks for it; whether there is one is the host's business.
        context.route("**/favicon.ico", lambda route: route.fulfill(status=204))
        page = context.new_page()
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        page.on("request", lambda r: _stay_here(r.url, live_server.url, complaints))
        page.set_default_timeout(15_000)
        return page

    yield open_page
    for context in contexts:
        context.close()
    # A denied page answers 403 on purpose, which Chromium writes to the console.
    assert [text for text in complaints if "403" not in text] == []


def _user(permissions: tuple[str, ...]) -> User:
    if not permissions:
        return User.objects.create_superuser("amina")
    user = User.objects.create_user(f"juma{User.objects.count()}", is_staff=True)
    allowed = Permission.objects.filter(codename__in=permissions)
    user.user_permissions.set(allowed)
    return user


def _session(user: User, url: str) -> Any:
    client = Client()
    client.force_login(user)
    name = django_settings.SESSION_COOKIE_NAME
    return {"name": name, "value": client.cookies[name].value, "url": url}


def _stay_here(url: str, ours: str, complaints: list[str]) -> None:
    if not url.startswith((ours, "data:")):
        complaints.append(f"asked {url}")


@pytest.fixture
def picture() -> Callable[..., None]:
    """``picture(page, "dashboard")``: docs/images/dashboard.png."""

    def take(page: Any, name: str, **options: Any) -> None:
        IMAGES.mkdir(exist_ok=True)
        page.screenshot(path=IMAGES / f"{name}.png", **options)

    return take


@pytest.fixture
def carrier() -> Iterator[FakeCarrier]:
    """A carrier that accepts and delivers everything."""
    with fake_carrier() as house:
        yield house
