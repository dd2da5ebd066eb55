"""The seed page's rule about money, with credit and a day's cap: written down once more, apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Wanted(NamedTuple):
    """One recipient: who it is, why it is refused whatever the money (or ""), what it costs."""

    identity: object
    refused: str
    cost: int


def expected(
    wanted: Sequence[Wanted], balance: int | None, cap: int | None
) -> list[tuple[str, int]]:
    """(error or "", what is held for it) of each unique recipient, in order. None = no limit."""
    answers: list[tuple[str, int]] = []
    spent, stopped = 0, False
    for each in dict.fromkeys(wanted):
        if stopped:
            answers.append(("skipped", 0))
        elif each.refused or not each.cost:
            answers.append((each.refused, 0))
        elif balance is not None and spent + each.cost > balance:
            stopped = True
            answers.append(("insufficient_balance", 0))
        elif cap is not None and spent + each.cost > cap:
            stopped = True
            answers.append(("spend_cap_reached", 0))
        else:
            spent += each.cost
            answers.append(("", each.cost))
    return answers
