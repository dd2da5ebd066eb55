"""The API's documents to read and to try, in the browser; a host that wants them includes this::

    INSTALLED_APPS += ["drf_spectacular_sidecar"]     # Swagger UI as static files; it is installed
    path("api-docs/", include("bulksms.api.docs_urls"))    # /api-docs/v1/ and /api-docs/outbox/

No file comes from anywhere but the host's own static files, and the page's policy says so to the
browser. Anybody who can reach the page can read it; a request from it needs a key as any other.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.templatetags.static import static
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.views.decorators.http import require_safe

from bulksms.api.base import BaseView
from bulksms.api.outbox.views import OpenApi as OutboxOpenApi
from bulksms.api.v1.views import OpenApi as V1OpenApi

SIDECAR = "drf_spectacular_sidecar"
SWAGGER = f"{SIDECAR}/swagger-ui-dist"

if not apps.is_installed(SIDECAR):
    raise ImproperlyConfigured(
        f'bulksms.api.docs_urls: add "{SIDECAR}" to INSTALLED_APPS, it has the files of Swagger UI.'
    )

# The document is asked for beside the page, and what a script does is in a file: no inline script.
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Bulk SMS API</title>
<link rel="icon" href="{icon}">
<link rel="stylesheet" href="{style}">
</head>
<body>
<div id="api" data-document="openapi.json"></div>
<script src="{bundle}"></script>
<script src="{start}"></script>
</body>
</html>
"""


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Swagger UI of the document beside it."""
    style = static(f"{SWAGGER}/swagger-ui.css")
    answer = HttpResponse(
        format_html(
            PAGE,
            icon=static(f"{SWAGGER}/favicon-32x32.png"),
            style=style,
            bundle=static(f"{SWAGGER}/swagger-ui-bundle.js"),
            start=static("bulksms/api_docs.js"),
        )
    )
    answer["Content-Security-Policy"] = _policy(style)
    return answer


def _policy(file: str) -> str:
    """Nothing from anywhere but here, and from where the host has its static files."""
    place = urlsplit(file)
    own = f"'self' {place.scheme or 'https'}://{place.netloc}" if place.netloc else "'self'"
    return (
        f"default-src 'none'; script-src {own}; style-src {own} 'unsafe-inline';"
        f" img-src {own} data:; font-src {own} data:; connect-src 'self'; base-uri 'none';"
        " form-action 'none'; frame-ancestors 'none'"
    )


def _of(dialect: str, document: type[BaseView]) -> list[URLPattern]:
    return [
        path(f"{dialect}/", page, name=dialect),
        path(f"{dialect}/openapi.json", document.as_view(), name=f"{dialect}-openapi"),
    ]


app_name = "bulksms_docs"
urlpatterns = [*_of("v1", V1OpenApi), *_of("outbox", OutboxOpenApi)]
