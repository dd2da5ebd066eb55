"""manage.py bulksms_campaign"""

from __future__ import annotations

import getpass
import json
import logging
from argparse import ArgumentParser
from collections import Counter
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from bulksms import money, states
from bulksms.exceptions import BulkSmsError
from bulksms.management.common import find_organisation
from bulksms.models import Campaign
from bulksms.services import campaigns, control, retrying
from bulksms.services.retrying import Wanted

logger = logging.getLogger(__name__)
LISTED = 20


class Command(BaseCommand):
    help = (
        "Look at a campaign and control it. list: the newest ones. show: its counts and its cost."
        " pause, resume. cancel: what is still queued ends, its money comes back; what left goes"
        " on. retry: a new paid attempt for what did not arrive; --dry-run first tells what it"
        " would cost. Exits 1 if it is in no state for that."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        common = ArgumentParser(add_help=False)
        common.add_argument("--json", action="store_true", help="one JSON object on stdout")
        actions = parser.add_subparsers(dest="action", required=True)
        listing = actions.add_parser("list", parents=[common], help=f"the newest {LISTED}")
        listing.add_argument("--organisation", help="its slug (all of them)")
        one = ArgumentParser(add_help=False, parents=[common])
        one.add_argument("campaign", type=UUID, help="its id")
        actions.add_parser("show", parents=[one], help="counts and cost")
        actions.add_parser("pause", parents=[one], help="ask for nothing more until resumed")
        actions.add_parser("resume", parents=[one], help="go on")
        cancel = actions.add_parser("cancel", parents=[one], help="end what is queued")
        cancel.add_argument("--dry-run", action="store_true", help="only count")
        retry = actions.add_parser("retry", parents=[one], help="ask again for what failed")
        retry.add_argument("--dry-run", action="store_true", help="only count and price")
        retry.add_argument("--status", action="append", dest="statuses", help="may be repeated")
        retry.add_argument("--error", action="append", dest="errors", help="may be repeated")
        retry.add_argument(
            "--message", action="append", type=UUID, dest="messages", help="an id; may be repeated"
        )
        retry.add_argument(
            "--accept-duplicates", action="store_true",
            help="with --message: also what may have arrived (unconfirmed)",
        )  # fmt: skip

    def handle(self, **options: Any) -> None:
        action = options["action"]
        if action == "list":
            self._list(options)
            return
        campaign = self._find(options["campaign"])
        try:
            document = getattr(self, f"_{action}")(campaign, options)
        except BulkSmsError as error:
            raise CommandError(error.detail) from error
        if action != "show" and not options.get("dry_run"):
            logger.info("bulksms: campaign %s: %s by %s", campaign.pk, action, getpass.getuser())
        if options["json"]:
            self.stdout.write(json.dumps(document))

    def _find(self, campaign_id: UUID) -> Campaign:
        found = Campaign.objects.select_related("organisation").filter(pk=campaign_id).first()
        if found is None:
            raise CommandError(f"There is no campaign {campaign_id}.")
        return found

    def _say(self, options: Any, text: str) -> None:
        if not options["json"]:
            self.stdout.write(text)

    # Looking

    def _list(self, options: Any) -> None:
        found = Campaign.objects.order_by("-id")
        if options["organisation"]:
            found = found.filter(organisation=find_organisation(options["organisation"]))
        rows = [_summary(campaign) for campaign in found[:LISTED]]
        if options["json"]:
            self.stdout.write(json.dumps({"campaigns": rows}))
        for row in rows:
            done = f"{row['done']}/{row['recipients']}"
            self._say(
                options, f"{row['id']} {row['created_at']} {row['status']} {done} {row['name']}"
            )

    def _show(self, campaign: Campaign, options: Any) -> dict[str, Any]:
        document = _document(campaign)
        for name, value in document.items():
            shown = ", ".join(f"{k} {v}" for k, v in value.items()) if name == "counts" else value
            self._say(options, f"{name}: {shown}")
        return document

    # Control

    def _pause(self, campaign: Campaign, options: Any) -> dict[str, Any]:
        return self._changed(control.pause(campaign.organisation, campaign.pk), "paused", options)

    def _resume(self, campaign: Campaign, options: Any) -> dict[str, Any]:
        changed = control.resume(campaign.organisation, campaign.pk)
        return self._changed(changed, "resumed", options)

    def _cancel(self, campaign: Campaign, options: Any) -> dict[str, Any]:
        if options["dry_run"]:
            queued = campaign.queued_count if campaign.finished_at is None else 0
            self._say(options, f"{queued} message(s) would be cancelled")
            return {**_document(campaign), "would_cancel": queued}
        changed = control.cancel(campaign.organisation, campaign.pk)
        return self._changed(changed, "cancelled", options)

    def _changed(self, changed: control.Changed, what: str, options: Any) -> dict[str, Any]:
        more = f", {changed.remaining} more will be" if changed.remaining else ""
        self._say(
            options,
            f"{changed.changed} message(s) {what}{more}; {changed.gone} had left before. The"
            f" campaign is {changed.campaign.status}.",
        )
        document = _document(changed.campaign)
        return {
            **document, "changed": changed.changed, "remaining": changed.remaining,
            "gone": changed.gone,
        }  # fmt: skip

    def _retry(self, campaign: Campaign, options: Any) -> dict[str, Any]:
        wanted = Wanted(
            options["messages"], options["statuses"], options["errors"],
            options["accept_duplicates"],
        )  # fmt: skip
        done = retrying.retry(
            campaign.organisation, campaign.pk, wanted, dry_run=options["dry_run"]
        )
        cost = money.sentence(done.cost_micros, campaign.currency)
        verb = "would be queued" if done.dry_run else "queued"
        refused = Counter(row.error for row in done.rows if row.error)
        self._say(options, f"{done.queued} message(s) {verb} again, for {cost}")
        for error, count in refused.most_common():
            self._say(options, f"  not: {count} {error}")
        if done.remaining:
            self._say(options, f"  {done.remaining} more: repeat the command")
        return {
            **_document(done.campaign), "queued": done.queued, "refused": dict(refused),
            "retry_cost": money.amount(done.cost_micros), "remaining": done.remaining,
            "dry_run": done.dry_run,
        }  # fmt: skip


def _summary(campaign: Campaign) -> dict[str, Any]:
    return {
        "id": str(campaign.pk), "created_at": campaign.created_at.isoformat(timespec="seconds"),
        "status": campaign.status, "recipients": campaign.recipients_count,
        "done": campaign.done_count, "name": campaign.name,
    }  # fmt: skip


def _document(campaign: Campaign) -> dict[str, Any]:
    counts = {name: getattr(campaign, column) for name, column in states.COUNTERS.items()}
    return {
        **_summary(campaign),
        "counts": {name: count for name, count in counts.items() if count},
        "sent": campaign.sent_count,
        "cost": money.amount(campaigns.cost_micros(campaign)),
        "currency": campaign.currency,
    }
