"""bulksms_send: what it says, what it refuses, and that Ctrl-C and a repeat send nothing twice."""

from __future__ import annotations

import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from bulksms.exceptions import WalletBusy
from bulksms.models import Campaign, Message
from bulksms.services import organisations, sending
from bulksms.testing import virtual_clock
from tests.commands.sending_host import CHUNK
from tests.factories import kenyan_numbers, make_organisation

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).parents[2]

BAD = "phone,name\n0712345678,Ann\n071234,Bob\n0723456789,Cy\n0723456788,\n"


@pytest.fixture(autouse=True)
def _virtual_time(settings: Any) -> None:
    virtual_clock.reset()
    settings.BULKSMS = {**settings.BULKSMS, "CLOCK": "bulksms.testing.virtual_clock"}


@pytest.fixture
def shop() -> str:
    return make_organisation().slug


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "customers.csv"
    path.write_text(BAD)
    return path


def run(file: Path | str, *words: str, **options: Any) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    out, err = io.StringIO(), io.StringIO()
    if not {"message", "message_file", "message_column"} & set(options):
        options["message"] = "Hi {name}"
    try:
        call_command(
            "bulksms_send", str(file), *words, stdout=out, stderr=err, no_color=True, **options
        )
    except CommandError as error:
        return error.returncode, out.getvalue(), f"{err.getvalue()}{error}"
    return 0, out.getvalue(), err.getvalue()


def test_bad_rows_are_all_named_with_their_lines_and_nothing_is_sent(shop: str, file: Path) -> None:
    code, out, err = run(file, organisation=shop)

    assert code == 1
    assert "line 3, phone: Too short for a mobile number of KE. (invalid_recipient)" in err
    assert "line 5, name: The cell for the placeholder {name} is empty." in err
    assert "2 of 4 rows are wrong; nothing was sent" in err
    assert "2 of 4 rows can be sent, in 2 parts, for KES 2.00 (2 wrong" in out
    assert not Campaign.objects.exists()


def test_the_bad_rows_are_left_out_when_that_is_said(shop: str, file: Path) -> None:
    code, out, err = run(file, "--skip-invalid", organisation=shop)

    assert (code, Message.objects.count()) == (0, 2)
    assert "2 queued now for KES 2.00" in out
    assert f"campaign {Campaign.objects.get().pk}" in out
    assert "line 3" in err


def test_a_dry_run_tells_the_cost_and_sends_nothing(shop: str, file: Path) -> None:
    code, out, _ = run(file, "--dry-run", "--skip-invalid", organisation=shop)
    assert (code, out.startswith("2 of 4 rows can be sent")) == (0, True)
    assert not Campaign.objects.exists()


def test_json_is_one_object_with_everything(shop: str, file: Path) -> None:
    code, out, _ = run(file, "--json", "--skip-invalid", organisation=shop)

    told = json.loads(out)
    assert code == 0
    assert told.pop("errors")[0] == {
        "line": 3, "column": "phone", "code": "invalid_recipient",
        "detail": "Too short for a mobile number of KE.",
    }  # fmt: skip
    assert told == {
        "rows": 4, "sendable": 2, "wrong": 2, "duplicates": 0, "parts": 2, "cost": "2.00",
        "currency": "KES", "queued": 2, "queued_cost": "2.00", "sent_before": 0,
        "campaigns": [str(Campaign.objects.get().pk)], "dry_run": False,
    }  # fmt: skip


def test_json_tells_of_bad_rows_before_it_fails(shop: str, file: Path) -> None:
    code, out, err = run(file, "--json", organisation=shop)
    assert (code, len(json.loads(out)["errors"])) == (1, 2)
    assert err == (
        "2 of 4 rows are wrong; nothing was sent. Correct them, or leave them out with"
        " --skip-invalid."
    )


def test_the_same_command_again_says_what_was_sent_before(shop: str, file: Path) -> None:
    run(file, "--skip-invalid", organisation=shop)
    code, out, err = run(file, "--skip-invalid", organisation=shop)

    assert (code, Message.objects.count()) == (0, 2)
    assert "2 were sent before, in 1 campaign(s)" in err
    assert "0 queued now" in out


def test_standard_input_is_a_file_too(shop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = SimpleNamespace(buffer=io.BytesIO(b"to,name\n0712345678,Ann\n"))
    monkeypatch.setattr(sys, "stdin", given)
    assert run("-", organisation=shop)[0] == 0
    assert Message.objects.get().text == "Hi Ann"


def test_the_text_may_come_from_a_file(shop: str, file: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("Dear {name},\nbye\n")
    run(file, "--skip-invalid", organisation=shop, message_file=text)
    assert "Dear Ann,\nbye" in set(Message.objects.values_list("text", flat=True))


def test_sender_time_priority_and_name_reach_the_campaign(shop: str, file: Path) -> None:
    code, _, _ = run(
        file, "--skip-invalid", "--sensitive", organisation=shop, at="2026-01-05T18:00+03:00",
        priority="high", name="Bills", sender="talkntalk",
    )  # fmt: skip
    found = Campaign.objects.get()
    assert code == 0
    assert (found.sender, found.priority, found.name) == ("TALKNTALK", "high", "Bills")
    assert found.is_sensitive
    assert found.scheduled_at is not None
    assert found.scheduled_at.hour == 15


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_cost": "1.50"}, "All of it costs KES 2.00, more than max_cost KES 1.50."),
        ({"at": "tomorrow"}, "--at 'tomorrow' is no moment like"),
        ({"at": "2026-01-05T18:00"}, "needs a time zone"),
        ({"sender": "STRANGER"}, "not registered and approved"),
        ({"phone_column": "tel"}, "There is no column 'tel'. There are: phone, name."),
        ({"message": "Hi {nmae}"}, "No column fills the placeholder {nmae}"),
        ({"organisation": "nobody"}, "no organisation 'nobody'"),
        ({"encoding": "klingon"}, "unknown encoding: klingon"),
    ],
)
def test_what_is_wrong_with_the_whole_is_one_sentence_and_exit_1(
    shop: str, file: Path, options: dict[str, str], said: str
) -> None:
    code, _, err = run(file, "--skip-invalid", **{"organisation": shop, **options})
    assert code == 1
    assert said in err
    assert not Campaign.objects.exists()


def test_a_file_that_is_not_there_is_one_sentence(shop: str, tmp_path: Path) -> None:
    code, _, err = run(tmp_path / "none.csv", organisation=shop)
    assert (code, "No such file" in err) == (1, True)


def test_what_the_wallet_cannot_pay_is_not_begun(file: Path) -> None:
    owner = make_organisation(balance_micros=2_000_000).slug
    file.write_text("phone,name\n" + "\n".join(f"{n},A" for n in kenyan_numbers(3)))
    assert "It costs KES 3.00; KES 2.00 is available." in run(file, organisation=owner)[2]
    assert not Campaign.objects.exists()


def test_whatever_stops_it_on_the_way_it_says_how_to_go_on(
    shop: str, file: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.BULKSMS = {**settings.BULKSMS, "MAX_RECIPIENTS": 1}
    file.write_text("phone,name\n" + "\n".join(f"{n},A" for n in kenyan_numbers(3)))
    real = sending.send

    def busy(*args: Any, **options: Any) -> Any:
        if Campaign.objects.exists():
            raise WalletBusy("The wallet is busy.")
        return real(*args, **options)

    monkeypatch.setattr(sending, "send", busy)
    code, out, err = run(file, organisation=shop)
    assert (code, "1 queued now" in out) == (1, True)
    assert "The wallet is busy; 1 of 3 are on their way. Repeat the same command" in err

    monkeypatch.setattr(sending, "send", real)
    assert "2 queued now" in run(file, organisation=shop)[1]


def test_without_an_organisation_the_house_sends(file: Path, settings: Any) -> None:
    house = {"name": "Shop", "sender_id": "SHOP"}
    settings.BULKSMS = {**settings.BULKSMS, "ORGANISATION": house}
    owner = organisations.ensure_house() or organisations.house()
    organisations.register_sender(owner, "SHOP", is_default=True)
    organisations.set_rate(800_000, currency="KES", at=virtual_clock.START)
    assert run(file, "--skip-invalid")[0] == 0
    assert Campaign.objects.get().organisation == owner


# Ctrl-C, for real


class Host:
    """The host project of sending_host.py, with a file of its own to send."""

    ROWS = 5 * CHUNK

    def __init__(self, folder: Path) -> None:
        self.database, self.file = folder / "db.sqlite3", folder / "all.csv"
        lines = [f"{number},N{n}" for n, number in enumerate(kenyan_numbers(self.ROWS))]
        self.file.write_text("\n".join(["phone,name", *lines]))

    def start(self, where: str, chunk: int = 0) -> subprocess.Popen[str]:
        words = [str(self.database), str(self.file), where, str(chunk)]
        return subprocess.Popen(
            [sys.executable, "-m", "tests.commands.sending_host", *words], cwd=ROOT,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip

    def interrupt(self, where: str, chunk: int) -> str:
        """Run it, press Ctrl-C at that point; what it says on stderr."""
        with self.start(where, chunk) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "now\n", process.communicate()[1]
            process.send_signal(signal.SIGINT)
            err = process.communicate(timeout=30)[1]
        assert process.returncode == 130, err
        return err

    def texts(self) -> list[str]:
        database = sqlite3.connect(self.database)
        found = [text for (text,) in database.execute("SELECT text FROM bulksms_message")]
        database.close()
        return found


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with its tables and one rate."""
    database = tmp_path_factory.mktemp("host") / "db.sqlite3"
    code = (
        f"from tests.commands import sending_host; sending_host.configure({str(database)!r});"
        "from django.core.management import call_command as call; call('migrate', verbosity=0);"
        "call('bulksms_rates', 'set', '0.80', '--currency', 'KES', verbosity=0)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)
    return database


@pytest.mark.slow
def test_ctrl_c_in_the_middle_and_a_repeat_send_nothing_twice(
    prepared: Path, tmp_path: Path
) -> None:
    host = Host(tmp_path)
    host.database.write_bytes(prepared.read_bytes())

    said = host.interrupt("inside", 2)
    assert "interrupted; 100 of 500 are on their way. Repeat the same command" in said
    assert len(host.texts()) == CHUNK

    host.interrupt("after", 2)
    assert len(host.texts()) == 3 * CHUNK

    with host.start("never") as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "300 were sent before" in err
    assert "200 queued now" in out
    assert sorted(host.texts()) == sorted(f"Hi N{n}" for n in range(host.ROWS))
