"""Fixtures of the service tests."""

from __future__ import annotations

from tests.virtual import _virtual_time, carrier

__all__ = ["_virtual_time", "carrier"]
