"""How our addresses are written."""

from __future__ import annotations

from django.urls import URLPattern, path

from bulksms.api.base import BaseView


def endpoint(route: str, view: type[BaseView], name: str) -> list[URLPattern]:
    """``route`` with a trailing slash, as it is documented and reversed, and without one.

    Django would answer the latter with a redirect, after which most clients turn a POST into a GET.
    """
    handler = view.as_view()
    return [path(f"{route}/", handler, name=name), path(route, handler)]
