"""What a host project may have configured, all of it wrong for us."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

ME = __name__


class Foreign:
    """Stands for any class of the host's: ours is the wrong place for it."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise AssertionError("the host's class was used")


def foreign(*_: Any, **__: Any) -> Any:
    raise AssertionError("the host's function was used")


REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": [f"{ME}.Foreign"],
    "DEFAULT_PARSER_CLASSES": [f"{ME}.Foreign"],
    "DEFAULT_AUTHENTICATION_CLASSES": [f"{ME}.Foreign"],
    "DEFAULT_PERMISSION_CLASSES": [f"{ME}.Foreign"],
    "DEFAULT_THROTTLE_CLASSES": [f"{ME}.Foreign"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": f"{ME}.Foreign",
    "DEFAULT_METADATA_CLASS": f"{ME}.Foreign",
    "DEFAULT_VERSIONING_CLASS": f"{ME}.Foreign",
    "DEFAULT_PAGINATION_CLASS": f"{ME}.Foreign",
    "DEFAULT_SCHEMA_CLASS": f"{ME}.Foreign",
    "EXCEPTION_HANDLER": f"{ME}.foreign",
    "UNAUTHENTICATED_USER": f"{ME}.Foreign",
    "UNAUTHENTICATED_TOKEN": f"{ME}.Foreign",
    "VIEW_NAME_FUNCTION": f"{ME}.foreign",
    "VIEW_DESCRIPTION_FUNCTION": f"{ME}.foreign",
    "FORMAT_SUFFIX_KWARG": "carrier",
    "URL_FORMAT_OVERRIDE": "status",
    "PAGE_SIZE": 1,
}

#: What DRF's APIView takes from those settings when it is imported.
FROM_SETTINGS = {
    "renderer_classes": [Foreign],
    "parser_classes": [Foreign],
    "authentication_classes": [Foreign],
    "permission_classes": [Foreign],
    "throttle_classes": [Foreign],
    "content_negotiation_class": Foreign,
    "metadata_class": Foreign,
    "versioning_class": Foreign,
}

SETTINGS = {
    "REST_FRAMEWORK": REST_FRAMEWORK,
    "LANGUAGE_CODE": "de",
    "USE_THOUSAND_SEPARATOR": True,
    "DECIMAL_SEPARATOR": ",",
    "TIME_ZONE": "Asia/Kathmandu",
    "DATA_UPLOAD_MAX_MEMORY_SIZE": 100,
    "FILE_UPLOAD_MAX_MEMORY_SIZE": 100,
    "APPEND_SLASH": False,
    "DATABASE_ROUTERS": [f"{ME}.Router"],
    "MIDDLEWARE": [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.locale.LocaleMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
        f"{ME}.LoggingMiddleware",
    ],
}


class Router:
    """Sends the host's own apps to another database; of ours it says nothing."""

    def db_for_read(self, model: Any, **_: Any) -> str | None:
        return None if model._meta.app_label == "bulksms" else "elsewhere"

    db_for_write = db_for_read

    def allow_relation(self, *_: Any, **__: Any) -> bool:
        return True


class LoggingMiddleware:
    """Reads the body and the user once the answer is there, and adds to the templates' context."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code in (200, 201, 207):
            assert request.body is not None
        assert request.user.is_authenticated is False
        return response

    def process_template_response(self, request: HttpRequest, response: Any) -> Any:
        response.context_data["brand"] = "host"
        return response
