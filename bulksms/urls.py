"""Mount everything: ``path("", include("bulksms.urls"))``. Each part can be mounted alone."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

app_name = "bulksms"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("bulksms.api.v1.urls")),
    path("", include("bulksms.api.outbox.urls")),
    path("", include("bulksms.api.callbacks")),
    path("", include("bulksms.api.health")),
]
