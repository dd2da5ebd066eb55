"""manage.py bulksms_key"""

from __future__ import annotations

import datetime as dt
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from bulksms import clock
from bulksms.exceptions import NotFound
from bulksms.management.common import find_organisation
from bulksms.models import ApiKey, Organisation
from bulksms.services import keys


class Command(BaseCommand):
    help = (
        "Make an API key for an organisation and print it: it is shown this once, only a hash is"
        " kept. With --list, --rotate or --revoke look after those that there are; a key is named"
        " by its prefix, the ten characters after bsk_live_ or bsk_test_."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("organisation", help="its slug")
        parser.add_argument("--name", default="", help="what it is for")
        parser.add_argument(
            "--scope", action="append", choices=keys.SCOPES, dest="scopes",
            help=f"may be repeated; default: {' '.join(keys.DEFAULT_SCOPES)}",
        )  # fmt: skip
        parser.add_argument("--days", type=int, help="it expires after so many (default: never)")
        deeds = parser.add_mutually_exclusive_group()
        deeds.add_argument("--list", action="store_true", help="all keys, and when they were used")
        deeds.add_argument(
            "--rotate", metavar="PREFIX", help="make a new one in the place of this one"
        )
        deeds.add_argument("--revoke", metavar="PREFIX", help="this one works no more, at once")
        parser.add_argument(
            "--overlap-hours", type=int, default=24,
            help="with --rotate: how long the old one still works (24)",
        )  # fmt: skip

    def handle(self, **options: Any) -> None:
        organisation = find_organisation(options["organisation"])
        try:
            self._do(organisation, options)
        except NotFound as error:
            raise CommandError(error.detail) from None

    def _do(self, organisation: Organisation, options: Any) -> None:
        if options["list"]:
            self._list(organisation)
        elif options["revoke"]:
            keys.revoke(keys.find(organisation, options["revoke"]))
            self.stdout.write(f"key {options['revoke']} is revoked")
        elif options["rotate"]:
            old = keys.find(organisation, options["rotate"])
            overlap = dt.timedelta(hours=max(0, options["overlap_hours"]))
            self.stdout.write(keys.rotate(old, overlap=overlap)[1])
        else:
            self.stdout.write(self._create(organisation, options))

    def _create(self, organisation: Organisation, options: Any) -> str:
        days = options["days"]
        if days is not None and not 1 <= days <= 36_500:
            raise CommandError("--days is a number from 1 to 36500")
        expires_at = None if days is None else clock.now() + dt.timedelta(days=days)
        scopes = options["scopes"] or keys.DEFAULT_SCOPES
        made = keys.create(
            organisation, name=options["name"][:80], scopes=scopes, expires_at=expires_at
        )
        return made[1]

    def _list(self, organisation: Organisation) -> None:
        rows = ApiKey.objects.filter(organisation=organisation).select_related("organisation")
        for row in rows.order_by("pk"):
            self.stdout.write(
                f"{row.prefix}: {' '.join(row.scopes)}, {_state(row)}, last used"
                f" {_written(row.last_used_at) or 'never'}{', ' + row.name if row.name else ''}"
            )


def _state(row: ApiKey) -> str:
    if row.revoked_at is not None:
        return f"revoked {_written(row.revoked_at)}"
    if not keys.is_valid(row, clock.now()):
        return f"expired {_written(row.expires_at)}" if row.organisation.is_active else "stopped"
    return f"valid until {_written(row.expires_at)}" if row.expires_at else "valid"


def _written(moment: dt.datetime | None) -> str:
    return "" if moment is None else f"{moment.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"
