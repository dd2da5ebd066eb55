"""The mistakes of a rules document, each with its place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake. `place` is a path such as `rules[2].report.delay_s`."""

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


class RulesError(ValueError):
    """A rules document with mistakes: `problems` holds all of them, in document order."""

    def __init__(self, problems: list[Problem]) -> None:
        count = len(problems)
        head = f"{count} mistake{'s' if count != 1 else ''} in the rules"
        super().__init__("\n".join([head, *(f"  {problem}" for problem in problems)]))
        self.problems = tuple(problems)
