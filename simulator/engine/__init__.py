"""The engine: no sockets, no waiting, no wall clock, no global random."""

from __future__ import annotations

from simulator.engine.engine import Engine, EngineSettings
from simulator.engine.messages import (
    Callback,
    Decision,
    QueryDecision,
    Record,
    Refusal,
    Row,
    Submission,
)

__all__ = [
    "Callback",
    "Decision",
    "Engine",
    "EngineSettings",
    "QueryDecision",
    "Record",
    "Refusal",
    "Row",
    "Submission",
]
