"""Mount everything: ``path("", include("bulksms.urls"))``. Each part can be mounted alone."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver

app_name = "bulksms"
urlpatterns: list[URLPattern | URLResolver] = []
