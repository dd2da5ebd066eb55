"""Who asks, and what its key may do: ``Authorization: Bearer <key>``."""

from __future__ import annotations

from typing import Any, cast

from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from bulksms.exceptions import InsufficientScope
from bulksms.models import ApiKey
from bulksms.services import keys


class BearerKey(BaseAuthentication):
    """Sets ``request.auth`` to the ApiKey; ``request.user`` stays what the host made of it.

    A missing or malformed header is looked up like any other key: the same queries and the same
    comparison, so that an answer's time tells nothing.
    """

    def authenticate(self, request: Request) -> tuple[Any, ApiKey]:
        scheme, _, text = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        key = keys.authenticate(text.strip() if scheme.lower() == "bearer" else "")
        return getattr(request._request, "user", None), key


class HasScope(BasePermission):
    """The key must have the scope that the view names in ``scope``."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if view.scope in cast(ApiKey, request.auth).scopes:
            return True
        raise InsufficientScope(f"This API key has not the scope {view.scope!r}.")
