"""The addresses of v1. Mount it alone with ``path("", include("bulksms.api.v1.urls"))``."""

from __future__ import annotations

from django.urls import path, re_path

from bulksms.api.base import NothingHere
from bulksms.api.routes import endpoint
from bulksms.api.v1 import views

app_name = "bulksms_v1"
urlpatterns = [
    *endpoint("v1/sms/send-bulk", views.SendBulk, "send-bulk"),
    *endpoint("v1/sms/send", views.Send, "send"),
    *endpoint("v1/sms/quote", views.Quote, "quote"),
    *endpoint("v1/sms/campaigns/status", views.CampaignByBody, "campaign-status"),
    *endpoint("v1/sms/campaigns/messages", views.MessagesByBody, "campaign-messages"),
    *endpoint("v1/sms/campaigns/<str:campaign_id>", views.Campaign, "campaign"),
    *endpoint("v1/sms/campaigns/<str:campaign_id>/messages", views.Messages, "messages"),
    *endpoint("v1/sms/campaigns/<str:campaign_id>/cancel", views.Cancel, "cancel"),
    *endpoint("v1/sms/campaigns/<str:campaign_id>/pause", views.Pause, "pause"),
    *endpoint("v1/sms/campaigns/<str:campaign_id>/resume", views.Resume, "resume"),
    *endpoint("v1/sms/campaigns/<str:campaign_id>/retry", views.Retry, "retry"),
    *endpoint("v1/bulk-sms/messages", views.AllMessages, "all-messages"),
    *endpoint("v1/bulk-sms/sender-ids", views.Senders, "sender-ids"),
    *endpoint("v1/balance", views.Balance, "balance"),
    *endpoint("v1", views.WhoAmI, "whoami"),
    path("v1/openapi.json", views.OpenApi.as_view(), name="openapi"),
    re_path(r"^v1/(?:bulk-)?sms/", NothingHere.as_view()),
]
