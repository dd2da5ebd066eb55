"""The addresses of the dialect "outbox".

Mount it alone with ``path("", include("bulksms.api.outbox.urls"))``.
"""

from __future__ import annotations

from django.urls import URLPattern, path, re_path

from bulksms.api.base import BaseView
from bulksms.api.outbox import views


def endpoint(route: str, view: type[BaseView], name: str) -> list[URLPattern]:
    """``route`` without a trailing slash, as it is documented and reversed, and with one."""
    handler = view.as_view()
    return [path(route, handler, name=name), path(f"{route}/", handler)]


app_name = "bulksms_outbox"
urlpatterns: list[URLPattern] = [
    *endpoint("api/sms/send-bulk", views.SendBulk, "send-bulk"),
    *endpoint("api/sms/send", views.Send, "send"),
    *endpoint("api/sms/schedule", views.Schedule, "schedule"),
    *endpoint("api/sms/outbox", views.Outbox, "outbox"),
    *endpoint("api/sms/outbox/<str:outbox_id>", views.OutboxEntry, "entry"),
    *endpoint("api/sms/outbox/<str:outbox_id>/retry", views.Retry, "retry"),
    *endpoint("api/sms/cancel-schedule", views.CancelSchedule, "cancel-schedule"),
    *endpoint("api/sms-costs/current", views.CurrentCosts, "current-costs"),
    *endpoint("api/sms-costs/history", views.CostHistory, "cost-history"),
    *endpoint("api/sms-wallet/balance", views.Balance, "balance"),
    path("api/sms/openapi.json", views.OpenApi.as_view(), name="openapi"),
    re_path(r"^api/sms(-costs|-wallet)?/", views.NothingHere.as_view()),
]
