"""The addresses of v1. Mount it alone with ``path("", include("bulksms.api.v1.urls"))``."""

from __future__ import annotations

from django.urls import re_path

from bulksms.api.base import NothingHere
from bulksms.api.routes import endpoint
from bulksms.api.v1 import views

app_name = "bulksms_v1"
urlpatterns = [
    *endpoint("v1/sms/send-bulk", views.SendBulk, "send-bulk"),
    *endpoint("v1/sms/quote", views.Quote, "quote"),
    *endpoint("v1/sms/campaigns/status", views.CampaignByBody, "campaign-status"),
    *endpoint("v1/sms/campaigns/messages", views.MessagesByBody, "campaign-messages"),
    *endpoint("v1/sms/campaigns/<str:campaign_id>", views.Campaign, "campaign"),
    *endpoint("v1/sms/campaigns/<str:campaign_id>/messages", views.Messages, "messages"),
    *endpoint("v1/balance", views.Balance, "balance"),
    re_path(r"^v1/sms/", NothingHere.as_view()),
]
