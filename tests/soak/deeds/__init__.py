"""What may happen, one module per subject. Importing this fills ``DEEDS``."""

from __future__ import annotations

from tests.soak.deeds import aimed, carriers, control, engine, money, people, sending, striking
from tests.soak.deeds.registry import DEEDS, Deed

__all__ = [
    "DEEDS", "Deed", "aimed", "carriers", "control", "engine", "money", "people", "sending",
    "striking",
]  # fmt: skip
