"""A ``bulksms_send`` in a process of its own, so that its memory can be told from everybody else's.

``python -m tests.benchmarks.growth_send DATABASE FILE ORGANISATION`` prints what it took as JSON.
Linux only, as ``cpu`` is.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from io import StringIO
from pathlib import Path

TEXT = "Dear {name}, your bill is due on 20th Dec. Pay to avoid disconnection."
FIRST = 254_712_000_000


@dataclass(frozen=True, slots=True)
class Sent:
    """What one send took: by the clock, of the processors (the database's too), of memory."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def write_csv(path: Path, rows: int) -> Path:
    """A file with a number and a name for each of ``rows`` people."""
    with path.open("w", encoding="utf-8") as out:
        out.write("phone,name\n")
        out.writelines(f"{FIRST + n},Name {n}\n" for n in range(rows))
    return path


def send(database: str, file: Path, organisation: str) -> Sent:
    """Run the command on the PostgreSQL database of this test run and wait for it."""
    words = [sys.executable, "-m", "tests.benchmarks.growth_send", database, str(file)]
    done = subprocess.run([*words, organisation], check=True, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.DEVNULL)  # fmt: skip
    return Sent(**json.loads(done.stdout))


def main(database: str, file: str, organisation: str) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    import django
    from django.conf import settings

    settings.DATABASES["default"]["NAME"] = database
    django.setup()
    from django.core.management import call_command

    from tests.benchmarks import cpu

    with cpu.spent(cpu.backend()) as seconds:
        call_command(
            "bulksms_send", file, message=TEXT, organisation=organisation, json=True,
            stdout=StringIO(),
        )  # fmt: skip
    print(json.dumps(asdict(Sent(seconds.wall_s, seconds.cpu_s, _peak_mb()))))


def _peak_mb() -> float:
    """Of this program alone: ru_maxrss would go on from the peak of the process that started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
