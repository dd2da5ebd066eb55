"""The Django app."""

from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class BulkSmsConfig(AppConfig):
    name = "bulksms"
    verbose_name = "Bulk SMS"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the checks, the house organisation and, where there is a broker, the actors.

        Without ``DRAMATIQ_BROKER`` the actors stay unregistered (a check says so): dramatiq would
        silently pick a RabbitMQ on localhost.
        """
        from bulksms import checks
        from bulksms.services import organisations

        checks.register()
        post_migrate.connect(
            organisations.ensure_house, sender=self, dispatch_uid="bulksms_ensure_house"
        )
        if checks.broker_is_configured():
            import_module("bulksms.tasks")
            import_module("bulksms.worker").install()
