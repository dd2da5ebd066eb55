"""Where carriers report: ``POST /callbacks/<carrier>/<token>/``.

The token is ``BULKSMS["CARRIERS"][<carrier>]["REPORT_TOKEN"]``, unguessable; it stands in for a
key, and the carrier's signature is checked where it has one. Reports are stored and answered with
200 ``{"stored": n}``; a repeated one is stored once. A worker applies them later.
"""

from __future__ import annotations

import hmac
import logging
import re
from collections.abc import Sequence

from django.http import HttpResponse
from rest_framework.request import Request

from bulksms import conf
from bulksms.api.base import BaseView
from bulksms.api.errors import BodyTooLarge
from bulksms.api.parsing import read_body
from bulksms.api.rendering import JsonResponse
from bulksms.api.routes import endpoint
from bulksms.carriers.base import ParsedReport
from bulksms.exceptions import InvalidReport, NotFound
from bulksms.services import reports, routing

logger = logging.getLogger(__name__)


class ReportsView(BaseView):
    """Takes delivery reports, in whatever content type the carrier has."""

    authentication_classes = ()
    permission_classes = ()

    def post(self, request: Request, carrier: str, token: str) -> HttpResponse:
        if not is_open(carrier, token):
            raise NotFound("There is nothing at this address.")
        body = read_body(request._request, conf.settings.MAX_REPORT_BODY_BYTES)
        headers = {name.lower(): value for name, value in request.headers.items()}
        try:
            parsed = routing.carrier(carrier).parse_reports(headers, body)
        except InvalidReport as error:
            logger.warning("bulksms: a report of carrier %s was refused: %s", carrier, error.detail)
            raise
        _check(parsed)
        return JsonResponse({"stored": reports.store(carrier, parsed)})


def is_open(carrier: str, token: str) -> bool:
    """Whether ``carrier`` exists, takes reports and has this token; compared in constant time."""
    wanted = conf.settings.CARRIERS.get(carrier, {}).get("REPORT_TOKEN") or ""
    same = hmac.compare_digest(str(wanted).encode(), token.encode("utf-8", "surrogatepass"))
    return bool(wanted) and same


def _check(parsed: Sequence[ParsedReport]) -> None:
    """Raises BodyTooLarge."""
    limit = conf.settings.MAX_REPORTS_PER_CALL
    if len(parsed) > limit:
        raise BodyTooLarge(f"At most {limit} reports in one call, got {len(parsed)}.")


#: What no column of text can hold.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


app_name = "bulksms_callbacks"
urlpatterns = endpoint("callbacks/<str:carrier>/<str:token>", ReportsView, "reports")
