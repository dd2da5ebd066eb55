"""The command line: banner, clean stop, mistakes."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.cli import main
from simulator.replay import read_journal
from simulator.testing import serve_in_thread
from tests.simulator.helpers import call, message, send

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_starts_with_a_banner_logs_requests_and_stops_cleanly(
    tmp_path: Path, number: signal.Signals
) -> None:
    journal = tmp_path / "journal.jsonl"
    command = (sys.executable, "-m", "simulator", "--http", "0", "--seed", "7")
    with subprocess.Popen(
        [*command, "--journal", str(journal), "--clock", "virtual"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        assert process.stdout is not None
        banner: list[str] = []
        while not banner or "Stop with Ctrl-C" not in banner[-1]:
            banner.append(process.stdout.readline())
        url = banner[1].split()[2].removesuffix("/v1/messages")
        send(url, [message(1)])
        call("GET", f"{url}/_sim/oracle/summary")
        process.send_signal(number)
        printed, logged = process.communicate(timeout=10)

    assert "seed      7" in "".join(banner)
    assert process.returncode == 0
    assert printed == "stopped\n"
    assert "POST /v1/messages -> 200 [default]" in logged
    assert [entry["kind"] for entry in read_journal(journal)[1]] == ["submit"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--rules", "missing.toml"], "missing.toml"),
        (["--secret", "whsec_???"], "signing secret"),
        (["--clock", "sundial"], "--clock: expected real, virtual or file:PATH"),
        (["--host", "0.0.0.0"], "--allow-public"),
        (["--serve-replay", "missing.jsonl"], "missing.jsonl"),
        (["replay", "missing.jsonl"], "missing.jsonl"),
    ],
)
def test_what_cannot_work_is_said_in_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    assert main(arguments) == 2
    assert says in capsys.readouterr().err


def test_a_rules_file_with_mistakes_shows_them_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rules.toml"
    path.write_text('[[rules]]\nrefuse = "x"\n[[rules]]\nwhat = 1\n', encoding="utf-8")

    assert main(["--rules", str(path)]) == 2

    shown = capsys.readouterr().err
    assert "3 mistakes" in shown
    assert "rules[1].what" in shown


def test_options_that_cannot_be_read_end_with_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--report-delay", "3-1"])

    assert ended.value.code == 2
    assert "is not a delay" in capsys.readouterr().err


def test_a_journal_is_served_from_the_command_line(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    rules: list[object] = [{"match": {"share": 50}, "refuse": "blocked"}]
    batch = [message(index) for index in range(8)]
    with serve_in_thread(seed=7, rules=rules) as recorded:
        expected = send(recorded.url, batch).json()
        journal.write_bytes(call("GET", f"{recorded.url}/_sim/journal").content)

    command = (sys.executable, "-m", "simulator", "--http", "0", "--quiet", "--serve-replay")
    with subprocess.Popen(
        [*command, str(journal)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        url = next(line for line in process.stdout if "/v1/messages" in line).split()[2][:-12]
        echoed = send(url, batch).json()
        strange = send(url, [message(99)])
        process.terminate()

    assert echoed == expected
    assert strange.status == 501
