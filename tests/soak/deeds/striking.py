"""A process that dies at any statement of what it does, whatever that is; and busy wallets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from django.db import connection, transaction

from bulksms.services import ledger
from tests.soak.deeds.engine import Killed
from tests.soak.deeds.registry import DEEDS, deed, integers, one_of, which
from tests.soak.world import World

#: What may die in the middle: deed -> its arguments but ``index``.
VICTIMS: dict[str, dict[str, Any]] = {
    "tick": {},
    "query": {},
    "apply": {"limit": 3},
    "step": {"house": "main"},
    "cancel": {},
    "pause": {},
    "reschedule": {"hours": 1},
    "retry": {"wanted": "default", "dry_run": False},
    "send_single": {"owner": 0, "person": 0, "text": 0},
    "top_up": {"owner": 1, "amount": 2, "twice": False},
}
WITH_INDEX = frozenset({"cancel", "pause", "reschedule", "retry"})


@deed(name=one_of(sorted(VICTIMS)), index=which, statement=integers(1, 40))
def die(world: World, name: str, index: int, statement: int) -> None:
    """Killed just before the given statement; it may be past the end, then it is not."""
    given = {**VICTIMS[name], **({"index": index} if name in WITH_INDEX else {})}
    left = statement

    def strike(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0:
            raise Killed
        return execute(sql, params, many, context)

    try:
        with connection.execute_wrapper(strike):
            DEEDS[name].work(world, **given)
    except Killed:
        world.note(f"killed at a statement: {name}")
        world.nothing_may_change = False
        # What Django runs without a savepoint of its own was one statement, and was not begun.
        transaction.set_rollback(False)


@deed(name=one_of(["apply", "cancel", "tick", "work"]), index=which, weight=2)
def while_wallets_are_held(world: World, name: str, index: int) -> None:
    """Other transactions hold all wallets: what should come back to them waits for the tick."""
    given = {**VICTIMS.get(name, {}), **({"index": index} if name in WITH_INDEX else {})}
    with patch.object(ledger, "lock_free", lambda wallets: {}):
        DEEDS[name].work(world, **given)
