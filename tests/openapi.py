"""``python -m tests.openapi`` writes the OpenAPI documents that the API serves."""

from __future__ import annotations

import json
from pathlib import Path

import django
from django.conf import settings

ROOT = Path(__file__).resolve().parents[1]
V1 = ROOT / "bulksms" / "api" / "v1" / "openapi.json"
OUTBOX = ROOT / "bulksms" / "api" / "outbox" / "openapi.json"


def written(document: object) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    settings.configure(INSTALLED_APPS=["bulksms"], USE_TZ=True)
    django.setup()
    from bulksms.api.outbox import schema as outbox
    from bulksms.api.v1 import schema as v1

    for file, dialect in ((V1, v1), (OUTBOX, outbox)):
        file.write_text(written(dialect.build()))
        print(f"{file.relative_to(ROOT)}: {file.stat().st_size} bytes")


if __name__ == "__main__":
    main()
