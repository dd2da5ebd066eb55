"""The app of a storm's processes."""

from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig


class ChaosConfig(AppConfig):
    name = "tests.chaos"

    def ready(self) -> None:
        import_module("tests.chaos.carriers")
