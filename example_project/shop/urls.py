"""The host project's URLs: the admin, and bulksms brings its own paths."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("bulksms.urls")),
]
