"""The host project's URLs: bulksms brings its own paths."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [path("", include("bulksms.urls"))]
