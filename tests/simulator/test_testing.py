"""What tests get: the pytest plugin, strategies, and plans that reproduce from the shell."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings

from simulator.schema import load_rules, parse_rules
from simulator.testing import InProcessTransport
from simulator.testing.strategies import FaultPlan, fault_plans
from tests.simulator.helpers import HEADERS, body_of, call, message

pytest_plugins = ["pytester"]
ROOT = Path(__file__).parents[2]
URL = "http://carrier.test/v1/messages"


def run_pytest(folder: Path, source: str) -> str:
    """Run one test file in a process of its own; return what it printed."""
    (folder / "test_it.py").write_text(source, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:django", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "-p", "simulator.testing.plugin", "test_it.py"],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.slow
def test_the_plugin_gives_a_carrier_to_every_test_that_asks(tmp_path: Path) -> None:
    printed = run_pytest(
        tmp_path,
        """
import sys
import pytest

def test_lazy():
    assert "aiohttp" not in sys.modules

@pytest.mark.sms_carrier(seed=3, rules=[{"refuse": "blocked"}])
def test_over_http(sms_carrier):
    assert sms_carrier.url.startswith("http://127.0.0.1:")
    assert sms_carrier.engine.settings.seed == 3

def test_in_process(sms_transport):
    assert sms_transport.engine.oracle.totals["accepted"] == 0
""",
    )

    assert "3 passed" in printed, printed


@settings(max_examples=80, deadline=None)
@given(plan=fault_plans())
def test_every_plan_is_a_valid_document_and_loses_no_message(plan: FaultPlan) -> None:
    with plan.on_failure():
        assert parse_rules(json.loads(plan.as_file())).rules == parse_rules(plan.document).rules
        transport = InProcessTransport(seed=plan.seed, rules=plan.document)
        for _ in range(6):
            try:
                transport("POST", URL, HEADERS, body_of([message(i) for i in range(6)]), 5)
            except (ConnectionResetError, TimeoutError):
                continue
        transport.advance(4 * 86_400, lambda _headers, _body: 200)

        totals = transport.engine.oracle.totals
        assert transport.next_due_at() is None
        assert totals["reports_planned"] == totals["reports_acked"]


FAILING = """
from hypothesis import Phase, given, settings
from simulator.testing import InProcessTransport
from simulator.testing.strategies import fault_plans
from tests.simulator.helpers import HEADERS, body_of, message

PHASES = (Phase.generate, Phase.shrink)

@settings(derandomize=True, database=None, max_examples=100, deadline=None, phases=PHASES)
@given(plan=fault_plans())
def test_an_app_that_believes_every_answer(plan):
    with plan.on_failure():
        transport = InProcessTransport(seed=plan.seed, rules=plan.document)
        try:
            transport("POST", "http://x/v1/messages", HEADERS, body_of([message(1)]), 5)
        except (ConnectionResetError, TimeoutError):
            assert transport.engine.oracle.accepted_count("ref-1") == 0
"""


@pytest.mark.slow
def test_a_printed_plan_reproduces_its_failure_from_the_command_line(tmp_path: Path) -> None:
    printed = run_pytest(tmp_path, FAILING)
    found = re.search(
        r"as a rules file:\n(.*?)run it: python -m simulator --seed (\d+) --rules plan.json",
        printed.replace("| ", ""),
        re.DOTALL,
    )
    assert found is not None, printed
    path = tmp_path / "plan.json"
    path.write_text(re.sub(r"(?m)^E +", "", found[1]), encoding="utf-8")
    load_rules(path)
    command = ("-m", "simulator", "--http", "0", "--quiet", "--seed", found[2], "--rules")

    with subprocess.Popen(
        [sys.executable, *command, str(path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as server:
        assert server.stdout is not None
        url = next(line for line in server.stdout if "/_sim/rules" in line).split()[1][:-11]
        with pytest.raises((ConnectionError, OSError)):
            call("POST", f"{url}/v1/messages", body_of([message(1)]))
        truth = call("GET", f"{url}/_sim/oracle/messages?client_ref=ref-1").json()
        server.terminate()

    assert truth["accepted"] == 1


def test_the_transport_needs_neither_aiohttp_nor_django() -> None:
    code = (
        "import sys; from simulator.testing import InProcessTransport; InProcessTransport();"
        "assert not {'aiohttp', 'django', 'bulksms'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)
