"""What was measured in this run."""

from __future__ import annotations

LINES: list[str] = []


def add(line: str) -> None:
    LINES.append(line)


def rendered() -> str:
    return "\n".join(f"  {line}" for line in LINES)
