"""Who asks, and what its key may do: ``Authorization: Bearer <key>``."""

from __future__ import annotations

import ipaddress
from typing import Any

from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from bulksms.exceptions import InsufficientScope
from bulksms.models import ApiKey
from bulksms.services import keys

#: One customer of an IPv6 provider has at least so many bits of addresses to change at will.
_IPV6_BITS = 64


class BearerKey(BaseAuthentication):
    """Sets ``request.auth`` to the ApiKey; ``request.user`` stays what the host made of it.

    A missing or malformed header is looked up like any other key: the same queries and the same
    comparison, so that an answer's time tells nothing.
    """

    def authenticate(self, request: Request) -> tuple[Any, ApiKey]:
        scheme, _, text = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        key = keys.authenticate(text.strip() if scheme.lower() == "bearer" else "")
        return getattr(request._request, "user", None), key


def require(key: ApiKey, scope: str) -> None:
    """Raises InsufficientScope."""
    if scope not in key.scopes:
        raise InsufficientScope(
            f"This API key has not the scope {scope!r}. Use one that has, or have it added."
        )


def address(request: HttpRequest) -> str:
    """What failed attempts are counted by: the client's address, an IPv6 one's network.

    ``REMOTE_ADDR`` and no header: anybody can write those. Behind a proxy the host's server or
    middleware sets it to the client's.
    """
    text = request.META.get("REMOTE_ADDR") or ""
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return "unknown"
    if found.version == 4:
        return str(found)
    return str(ipaddress.ip_network((found, _IPV6_BITS), strict=False))
