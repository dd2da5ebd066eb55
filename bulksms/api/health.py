"""For load balancers and monitoring: ``/health/``, ``/health/ready/``, ``/health/live/``; no key.

``live``: this process answers. ``ready``: it can also accept requests (the database is there; a
broker that is away is no reason to refuse them). ``/health/``: everything, 503 unless all is well,
so this is the one to alert on. Plain Django views: they must work when little else does.
"""

from __future__ import annotations

from collections.abc import Callable

from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from bulksms.api.rendering import JsonResponse
from bulksms.services import health

View = Callable[[HttpRequest], HttpResponse]


def live(request: HttpRequest) -> HttpResponse:
    """200, always."""
    return JsonResponse({"status": health.OK})


def ready(request: HttpRequest) -> HttpResponse:
    """200, or 503 while the database is away."""
    if health.is_database_there():
        return JsonResponse({"status": health.OK})
    return JsonResponse({"status": health.DOWN}, status=503)


def everything(request: HttpRequest) -> HttpResponse:
    """200 if database, broker and tick are well, else 503; null = it could not be asked."""
    found = health.look()
    age = found.tick_age_s
    body = {
        "status": found.status,
        "database": {"ok": found.database},
        "broker": {"ok": found.broker},
        "tick": {"ok": found.tick, "age_s": None if age is None else round(age, 1)},
    }
    return JsonResponse(body, status=200 if found.status == health.OK else 503)


def _plain(view: View) -> View:
    """Outside of the host's ATOMIC_REQUESTS: that would be a 500 while the database is away."""
    for alias in connections:
        view = transaction.non_atomic_requests(using=alias)(view)
    return never_cache(require_safe(view))


def _paths(route: str, view: View, name: str) -> list[URLPattern]:
    handler = _plain(view)
    return [path(f"{route}/", handler, name=name), path(route, handler)]


app_name = "bulksms_health"
urlpatterns = [
    *_paths("health", everything, "everything"),
    *_paths("health/ready", ready, "ready"),
    *_paths("health/live", live, "live"),
]
