"""Messages sent through a whole installation, and what is demanded of how they end."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bulksms.models import Campaign, Message
from tests.benchmarks.installation import Installation, bodies
from tests.benchmarks.work import RECIPIENTS, TEXT

TIMEOUT_S = 600.0


@dataclass(frozen=True)
class Lived:
    """Seconds until all were finished, and microseconds of processor a message, by group."""

    wall_s: float
    cpu_us: Mapping[str, float]
    #: Seconds of processor in all.
    cpu_s: float


def live(installation: Installation, key: str, numbers: Sequence[str]) -> Lived:
    """Send to each and wait for their end. No number twice: a handset would see a duplicate."""
    count, ready = len(numbers), bodies(numbers, TEXT, RECIPIENTS)
    before, started = installation.cpu_seconds(), time.perf_counter()
    campaigns = installation.post_all(key, ready)
    installation.wait_until_finished(campaigns, TIMEOUT_S)
    wall_s, after = time.perf_counter() - started, installation.cpu_seconds()
    delivered = Message.objects.filter(campaign__in=campaigns, status="delivered")
    assert delivered.count() == count
    ended = Campaign.objects.filter(id__in=campaigns, status="completed")
    assert ended.count() == len(ready)
    spent = {name: after[name] - before[name] for name in after}
    per_message = {name: seconds * 1e6 / count for name, seconds in spent.items()}
    return Lived(wall_s, per_message, sum(spent.values()))


def judge(installation: Installation, count: int) -> None:
    """The simulator took every one of ``count`` messages, and none of them twice."""
    oracle = installation.oracle()
    assert oracle["accepted"] == count, oracle
    assert set(oracle["duplicates"].values()) == {0}, oracle
