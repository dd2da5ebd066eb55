"""Hypothesis strategies: rules documents to run an application against.

    @given(plan=fault_plans())
    def test_money_adds_up(plan):
        with plan.on_failure():
            transport = InProcessTransport(seed=plan.seed, rules=plan.document)
            ...

When the block fails, the plan is noted in Hypothesis' output, as a file for `--rules` with the
seed to go with it: `python -m simulator --seed 3 --rules plan.json` has the same faults.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import note
from hypothesis import strategies as st

from simulator.engine import words

_shares = st.one_of(st.none(), st.sampled_from((5, 20, 50, 100)))
_short_s = st.sampled_from((0, 1, 5, 60))
_tries = st.integers(1, 3)


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """A seed and a rules document."""

    seed: int
    document: dict[str, Any]

    def as_file(self) -> str:
        """Return the document as the JSON file that `--rules` reads."""
        return json.dumps(self.document, indent=2, sort_keys=True) + "\n"

    def write(self, path: str | Path) -> Path:
        """Write the file; return its path."""
        path = Path(path)
        path.write_text(self.as_file(), encoding="utf-8")
        return path

    def describe(self) -> str:
        return (
            "the failing plan, as a rules file:\n"
            f"{self.as_file()}run it: python -m simulator --seed {self.seed} --rules plan.json"
        )

    @contextmanager
    def on_failure(self) -> Iterator[None]:
        """Note the plan where the block raises (shown with Hypothesis' smallest example)."""
        try:
            yield
        except BaseException:
            note(self.describe())
            raise


def matches() -> st.SearchStrategy[dict[str, Any]]:
    """Conditions: everything, or a share."""
    return _shares.map(lambda share: {} if share is None else {"share": share})


def reports() -> st.SearchStrategy[Any]:
    """What a `report` knob may say: never, late, twice, in disorder, strange."""
    states = st.sampled_from((*sorted(words.CODE_OF_STATE), "lost_in_space"))
    one = st.fixed_dictionaries(
        {"state": states, "delay_s": st.sampled_from((0, 1, 60, 259_200))},
        optional={"copies": st.integers(1, 3), "gap_s": _short_s},
    )
    return st.one_of(st.just(False), one, st.lists(one, min_size=1, max_size=3))


def refusals() -> st.SearchStrategy[Any]:
    """What a `refuse` knob may say. A temporary one ends after some tries."""
    temporary = st.fixed_dictionaries(
        {"code": st.sampled_from(sorted(words.TEMPORARY_CODES)), "tries": _tries}
    )
    for_good = st.fixed_dictionaries(
        {"code": st.sampled_from(sorted(words.PERMANENT_CODES))},
        optional={"report": st.just("delivered")},
    )
    return st.one_of(temporary, for_good)


def request_faults() -> st.SearchStrategy[dict[str, Any]]:
    """Knobs of the connection, each ending after some tries so that retries get through."""
    how = st.sampled_from(("reset", "close", "silence"))
    lost = st.fixed_dictionaries({"how": how, "tries": _tries})
    late = st.fixed_dictionaries({"after_s": _short_s, "how": how, "tries": _tries})
    drop = st.fixed_dictionaries({"accepted": st.integers(0, 3), "how": how, "tries": _tries})
    return st.one_of(
        st.fixed_dictionaries({"lose_answer": lost}),
        st.fixed_dictionaries({"lose_request": lost}),
        st.fixed_dictionaries({"process_late": late}),
        st.fixed_dictionaries({"drop_after": drop}),
        st.fixed_dictionaries({"rows": st.just({"shuffled": True, "missing": 1, "extra": 1})}),
        st.fixed_dictionaries({"body": st.sampled_from(("html", "empty", "invalid_json"))}),
    )


def rules() -> st.SearchStrategy[dict[str, Any]]:
    """One valid rule."""
    knobs = st.one_of(
        st.fixed_dictionaries({"report": reports()}),
        st.fixed_dictionaries({"refuse": refusals()}),
        request_faults(),
    )
    return st.builds(lambda match, knob: {"match": match, **knob}, matches(), knobs)


def documents(most: int = 5) -> st.SearchStrategy[dict[str, Any]]:
    """A valid rules document with at most `most` rules."""
    return st.builds(lambda found: {"rules": found}, st.lists(rules(), max_size=most))


def fault_plans(most: int = 5) -> st.SearchStrategy[FaultPlan]:
    """A seed and a document."""
    return st.builds(FaultPlan, st.integers(0, 1_000_000), documents(most))
