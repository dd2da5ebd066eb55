"""What a storm asks of the app, each in a process of its own: ``python -m tests.chaos.deeds NAME``.

The settings are tests.chaos.settings; answers are a line of JSON.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from typing import Any

import django


def send(count: str) -> dict[str, Any]:
    """Migrate, then accept one campaign."""
    from django.core.management import call_command

    from bulksms import send_bulk
    from tests.factories import kenyan_numbers, make_organisation

    call_command("migrate", verbosity=0)
    result = send_bulk(
        recipients=kenyan_numbers(int(count)), message="Hi", organisation=make_organisation()
    )
    return {"campaign": str(result.id), "queued": result.queued}


def look() -> dict[str, Any]:
    """Every row's id, state and charge; the campaign's counters; what the audit says."""
    from bulksms import states
    from bulksms.models import Campaign, Message, Submission
    from bulksms.services import audit

    campaign = Campaign.objects.get()
    rows = list(Message.objects.values_list("id", "status", "charge"))
    return {
        "rows": {str(id_): [status, charge] for id_, status, charge in rows},
        "counters": {s: getattr(campaign, name) for s, name in states.COUNTERS.items()},
        "campaign": campaign.status,
        "requests": dict(Counter(Submission.objects.values_list("status", flat=True))),
        "abandoned": Submission.objects.filter(outcome="lease over").count(),
        "faults": [str(fault) for fault in audit.faults()],
    }


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.chaos.settings"
    django.setup()
    print(json.dumps({"send": send, "look": look}[sys.argv[1]](*sys.argv[2:])))
