"""``--chaos``: two workers, processes of their own; one is killed while it asks the carrier."""

from __future__ import annotations

import selectors
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import IO
from uuid import UUID

from django.core.management.base import CommandError
from django.db.models import QuerySet, Sum

from bulksms import states
from bulksms.management import simulated
from bulksms.models import LedgerEntry, Message, Submission
from shop.demo.site import PRICE_MICROS, Site

#: Which of the requests to the carrier costs its worker's life.
FATAL_REQUEST = 3
PATIENCE_S = 20


class ChaosSite(Site):
    """The web server, the fake carrier and two workers, each a process of its own."""

    staff = "two workers, processes of their own"
    workers: dict[str, subprocess.Popen[bytes]]

    def start(self) -> None:
        self.environment["DJANGO_SETTINGS_MODULE"] = "shop.demo.settings"
        rules = Path(__file__).with_name("chaos_rules.json")
        carrier = simulated.command_line(self.url, seed=str(self.seed), rules=str(rules))
        port = carrier.index("--http") + 1
        carrier[port] = str(self.simulator_port)
        manage = [sys.executable, sys.argv[0]]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        web = [*manage, "runserver", "--noreload", "--skip-checks", str(self.port)]
        self.carrier = self.run([*carrier, "--quiet"], **quiet)
        self.server = self.run(web, **quiet)
        self.workers = {
            name: self.run([*manage, "demo_worker"], stdout=subprocess.PIPE, bufsize=0)
            for name in "AB"
        }
        self.wait_until_up()
        for _ in self.workers:
            self.hear()

    def hear(self) -> tuple[str, list[str]]:
        """The next thing that a worker says, as (its name, words). Raises CommandError."""
        with selectors.DefaultSelector() as selector:
            for name, worker in self.workers.items():
                selector.register(_voice(worker), selectors.EVENT_READ, name)
            for key, _ in selector.select(PATIENCE_S):
                if words := _voice(self.workers[key.data]).readline().decode().split():
                    return key.data, words
        raise CommandError("the workers have died, or have nothing to say")

    def stop(self) -> None:
        """Workers first: nobody is to complain that the others are away."""
        for process in (*getattr(self, "workers", {}).values(), getattr(self, "carrier", None)):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait(PATIENCE_S)
        super().stop()


class Accident:
    """A worker is killed in mid-request, and what becomes of the messages of that request."""

    def __init__(self, site: ChaosSite, say: Callable[[str], None]) -> None:
        self._site, self._say = site, say
        self._at = 0.0
        self._submission = UUID(int=0)
        self._seen: Counter[str] = Counter()

    def happen(self) -> None:
        """Wait until the carrier has taken what a worker asks for; then kill -9, before it answers.

        Raises CommandError when the answer was faster.
        """
        for _ in range(FATAL_REQUEST):
            name, (_, count, reference) = self._site.hear()
        worker, (other,) = self._site.workers[name], set(self._site.workers) - {name}
        self._site.oracle(f"messages?client_ref={reference}&at_least=1&wait=10")
        worker.send_signal(signal.SIGKILL)
        self._at = time.monotonic()
        worker.wait(PATIENCE_S)
        self._submission = Message.objects.values_list("submission_id", flat=True).get(id=reference)
        if Submission.objects.get(id=self._submission).status != states.SUBMITTING:
            raise CommandError("the carrier's answer came before the blow; try again")
        self._say(f"\nkill -9 {worker.pid}: worker {name} is dead. It had asked the carrier for")
        self._say(f"{count} messages; they are taken, and the carrier's answer reaches nobody.")
        self._say(f"Worker {other} goes on alone. The messages of the dead worker's request:")
        self.look()

    def look(self) -> None:
        """Tell what changed since the last look."""
        seen = Counter(self._messages().values_list("status", flat=True))
        if seen != self._seen:
            self._seen = seen
            told = ", ".join(f"{count} {status}" for status, count in sorted(seen.items()))
            self._say(f"  {time.monotonic() - self._at:4.1f} s  {told}")

    def show_end(self) -> None:
        """How each of them came to its end. Raises CommandError when one did not."""
        rows = self._messages()
        count, final = rows.count(), rows.filter(done_at__isnull=False).count()
        once = sum(1 for id_ in rows.values_list("id", flat=True) if self._accepted(id_) == 1)
        asked = self._resolved_by_query()
        self._say(
            f"\nThe dead worker's lease ran out. Its {count} messages were unknown: money held, not"
            f" sent again.\n  {asked:>4} were then known by asking the carrier\n"
            f"  {count - asked:>4} by their delivery report\n"
            f"  {once:>4} were accepted exactly once, {final} are final"
        )
        was_lost = Submission.objects.get(id=self._submission).status == states.LOST
        if not was_lost or final != count or once != count:
            raise CommandError("that is not how it has to end")

    def _messages(self) -> QuerySet[Message]:
        ids = Submission.objects.values_list("message_ids", flat=True).get(id=self._submission)
        return Message.objects.filter(id__in=ids)

    def _accepted(self, message_id: UUID) -> int:
        return int(self._site.oracle(f"messages?client_ref={message_id}")["accepted"])

    def _resolved_by_query(self) -> int:
        """The ledger says what each capture was for."""
        captured = LedgerEntry.objects.filter(key__startswith=f"capture:query:{self._submission}:")
        return int(captured.aggregate(sum=Sum("amount_micros"))["sum"] or 0) // PRICE_MICROS


def _voice(worker: subprocess.Popen[bytes]) -> IO[bytes]:
    assert worker.stdout is not None
    return worker.stdout
