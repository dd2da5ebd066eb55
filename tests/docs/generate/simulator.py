"""docs/reference/simulator.md, from the simulator's schema, its command line and its own README."""

from __future__ import annotations

import json
import re
from pathlib import Path

import simulator
from simulator import cli, magic
from simulator.engine.knobs import KIND_OF_KNOB
from simulator.schema.rules import KNOB_READERS
from tests.docs.generate.commands import arguments
from tests.docs.generate.markdown import WRITTEN, code, table

README = Path(simulator.__file__).with_name("README.md")

INTRO = f"""{WRITTEN}
# The simulator

A fake carrier that misbehaves on demand and knows what really happened. `manage.py bulksms_start`
runs one beside your project; alone it is `python -m simulator` (or `bulksms-simulator`). A walk
with curl, its wire and its control plane are in `simulator/README.md`, which is installed with it.

## Rules

`--rules FILE` (TOML or JSON), or `PUT /_sim/rules` while it runs. A rule is a match and one or more
knobs. For each knob, the first rule that matches and sets it decides.

```toml
[[rules]]
name = "three in a hundred never arrive"
match = {{ share = 3 }}
report = "undelivered"

[[rules]]
name = "answers to this prefix are lost"
match = {{ prefix = "25473" }}
lose_answer = "reset"
```

A match names any of `prefix`, `number`, `sender` (one or a list), `content` (a regular expression),
`longer_than`, `shorter_than` (characters), `share` (percent), `nth` (`3`, or `{{every = 3}}`).

What a knob hangs on is its kind: *truth* on the seed and the message, so order changes nothing;
*request* on the content of the request; *state* on the sequence of requests.

"""

MAGIC = f"""
## Magic numbers

`{magic.BLOCKS["KE"]}xxx`, in Uganda `{magic.BLOCKS["UG"]}xxx`, in Tanzania
`{magic.BLOCKS["TZ"]}xxx`: the last three digits choose a life, before any rule. A number of these
blocks that is not here is delivered.

"""

OPTIONS = """
## Command line

"""


def values() -> dict[tuple[str, str], str]:
    """(knob, kind) -> what may be written, as the README has it."""
    rows = re.findall(
        r"^\| `(\w+)` \| (truth|request|state) \| (.*) \|$", README.read_text(), re.MULTILINE
    )
    return {(knob, kind): text for knob, kind, text in rows}


def page() -> str:
    written = values()
    knobs = [
        (code(knob), kind, written[(knob, kind)])
        for knob in KNOB_READERS for kind in ("truth", "request", "state")
        if (knob, kind) in written
    ]  # fmt: skip
    lives = [
        (code(number[-3:]), code(name), code(json.dumps(magic.LIVES[number])))
        for name, number in vars(magic).items()
        if isinstance(number, str) and number in magic.LIVES
    ]
    return "".join((
        INTRO, table(("knob", "kind", "values"), knobs),
        MAGIC, table(("digits", "`simulator.magic`", "what happens"), lives),
        OPTIONS, table(("option", "meaning"), arguments(cli.parser())),
    ))  # fmt: skip


def without_a_row() -> set[str]:
    """Knobs that the README does not describe."""
    described = {knob for knob, _ in values()}
    return {knob for knob in KIND_OF_KNOB if knob not in described}
