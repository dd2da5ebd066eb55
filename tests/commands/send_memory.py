"""How much memory bulksms_send takes: ``python -m tests.commands.send_memory [FEW MANY]``.

A process of its own for each size, on SQLite; exits 1 if many rows take over a fifth more than few.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.commands import sending_host

FEW, MANY = 10_000, 200_000
MOST = 1.2


def measure(rows: int, folder: Path) -> int:
    """The most memory, in KB, of a process that sends so many rows."""
    words = [sys.executable, "-m", "tests.commands.send_memory", "one", str(rows), str(folder)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return int(done.stdout.split()[-1])


def send(rows: int, folder: Path) -> None:
    file = folder / f"{rows}.csv"
    with file.open("w") as out:
        out.write("phone,name\n")
        out.writelines(
            f"{254_700_000_000 + n},Name {n}\n" for n in range(12_000_000, 12_000_000 + rows)
        )
    sending_host.CHUNK = 10_000
    sending_host.configure(str(folder / f"{rows}.sqlite3"))
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    call_command("bulksms_rates", "set", "0.80", "--currency", "KES")
    call_command("bulksms_send", str(file), message="Dear {name}")
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def main() -> int:
    if sys.argv[1:2] == ["one"]:
        send(int(sys.argv[2]), Path(sys.argv[3]))
        return 0
    few, many = map(int, sys.argv[1:3] or (FEW, MANY))
    with tempfile.TemporaryDirectory() as folder:
        small, large = measure(few, Path(folder)), measure(many, Path(folder))
    print(f"{few} rows: {small / 1024:.1f} MB, {many} rows: {large / 1024:.1f} MB")
    return 0 if large <= MOST * small else 1


if __name__ == "__main__":
    sys.exit(main())
