"""The outbox: campaigns, their runs, every single message, its attempts, and requests to carriers.

The message table is the hot one: its id is a UUIDv7 whose order is the input order, its foreign
keys have no database constraint (three of them tripled the cost of COPY), and it has five indexes.
"""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import F, Q
from django.db.models.expressions import CombinedExpression

from bulksms import states
from bulksms.models.base import at_least_zero, one_of
from bulksms.models.organisations import Organisation

NORMAL = "normal"
HIGH = "high"
PRIORITIES = (NORMAL, HIGH)

BULK = "bulk"
SINGLE = "single"
ARRAY = "array"
KINDS = (BULK, SINGLE, ARRAY)


def _soft(to: str) -> Any:
    """A foreign key of the hot table: a column, no constraint, no index of its own."""
    return models.ForeignKey(
        to, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )


def _counters_add_up() -> Q:
    total: F | CombinedExpression = F("queued_count")
    for column in list(states.COUNTERS.values())[1:]:
        total = total + F(column)
    return Q(recipients_count=total)


class Campaign(models.Model):
    """One accepted request; in the outbox dialect a "bulk outbox" entry.

    One counter per message state, exclusive: their sum is ``recipients_count`` (CHECK), and they
    move in the transaction that moves the rows. ``sent_count`` is how many the carrier ever took.
    """

    id = models.UUIDField(primary_key=True)
    organisation = models.ForeignKey(
        Organisation, on_delete=models.PROTECT, related_name="campaigns", db_index=False
    )
    kind = models.CharField(max_length=8, default=BULK)
    status = models.CharField(max_length=12, default=states.QUEUED)
    priority = models.CharField(max_length=8, default=NORMAL)
    #: The common text and sender; empty when each message has its own.
    message = models.TextField(blank=True)
    sender = models.CharField(max_length=15, blank=True)
    currency = models.CharField(max_length=3)
    #: The caller's own id for this request, unique per organisation when given.
    reference = models.CharField(max_length=255, blank=True)
    #: SHA-256 of the request's body: what a repeat with the same reference is compared with.
    request_sha256 = models.CharField(max_length=64, blank=True, default="")
    #: A label of the caller's own user, a name for people; neither has any authority.
    user_label = models.CharField(max_length=255, blank=True)
    name = models.CharField(max_length=255, blank=True)
    tags = models.JSONField(default=list)
    metadata = models.JSONField(default=dict)
    scheduled_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField()
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    #: Cancelled then: what comes back to its queue is cancelled too.
    cancelled_at = models.DateTimeField(null=True)
    #: Its texts go as soon as nothing more is asked with them; they went then.
    is_sensitive = models.BooleanField(default=False)
    text_blanked_at = models.DateTimeField(null=True)
    #: Retention: its numbers and texts are gone; its rows are gone too.
    blanked_at = models.DateTimeField(null=True)
    pruned_at = models.DateTimeField(null=True)
    #: Retries asked for so far; also the round of the newest hold.
    round = models.PositiveIntegerField(default=0)

    recipients_count = models.PositiveIntegerField()
    duplicates_count = models.PositiveIntegerField(default=0)
    sent_count = models.PositiveIntegerField(default=0)
    #: Rows with ``done_at``; the campaign is completed when all are.
    done_count = models.PositiveIntegerField(default=0)
    queued_count = models.PositiveIntegerField(default=0)
    sending_count = models.PositiveIntegerField(default=0)
    awaiting_report_count = models.PositiveIntegerField(default=0)
    unknown_count = models.PositiveIntegerField(default=0)
    delivered_count = models.PositiveIntegerField(default=0)
    undelivered_count = models.PositiveIntegerField(default=0)
    expired_count = models.PositiveIntegerField(default=0)
    rejected_count = models.PositiveIntegerField(default=0)
    unconfirmed_count = models.PositiveIntegerField(default=0)
    failed_count = models.PositiveIntegerField(default=0)
    skipped_count = models.PositiveIntegerField(default=0)
    cancelled_count = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=_counters_add_up(), name="bulksms_campaign_counters_add_up"
            ),
            models.UniqueConstraint(
                fields=("organisation", "reference"),
                condition=~Q(reference=""),
                name="bulksms_campaign_reference",
            ),
            models.CheckConstraint(
                condition=Q(done_count__lte=F("recipients_count")), name="bulksms_campaign_done"
            ),
            one_of("status", states.CAMPAIGN_STATES, "campaign_status"),
            one_of("priority", PRIORITIES, "campaign_priority"),
            one_of("kind", KINDS, "campaign_kind"),
        )
        indexes = (
            models.Index(fields=("organisation", "id"), name="bulksms_campaign_org"),
            models.Index(
                fields=("started_at",),
                condition=Q(finished_at=None),
                name="bulksms_campaign_unfinished",
            ),
            models.Index(
                fields=("cancelled_at",),
                condition=Q(cancelled_at__isnull=False, queued_count__gt=0),
                name="bulksms_campaign_cancelling",
            ),
            models.Index(
                fields=("id",),
                condition=Q(is_sensitive=True, text_blanked_at=None),
                name="bulksms_campaign_sensitive",
            ),
            models.Index(
                fields=("finished_at",),
                condition=Q(finished_at__isnull=False, blanked_at=None),
                name="bulksms_campaign_to_blank",
            ),
            models.Index(
                fields=("finished_at",),
                condition=Q(finished_at__isnull=False, pruned_at=None),
                name="bulksms_campaign_to_prune",
            ),
        )

    def __str__(self) -> str:
        return str(self.id)


class Run(models.Model):
    """A campaign's work for one carrier. Scheduling, pausing and fairness touch this row only."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="runs")
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, db_index=False)
    carrier = models.CharField(max_length=40)
    priority = models.CharField(max_length=8, default=NORMAL)
    is_paused = models.BooleanField(default=False)
    #: Rows of this run in state queued; moved in the transaction that moves the rows.
    queued_count = models.PositiveIntegerField(default=0)
    #: No row of this run is due before then.
    due_at = models.DateTimeField()
    #: When it was last served: the longest waiting run goes first.
    served_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("campaign", "carrier"), name="bulksms_run_unique"),
            one_of("priority", PRIORITIES, "run_priority"),
        )
        indexes = (
            models.Index(
                fields=("carrier", "priority", "due_at"),
                condition=Q(queued_count__gt=0, is_paused=False),
                name="bulksms_run_ready",
            ),
        )

    def __str__(self) -> str:
        return f"{self.campaign_id} by {self.carrier}"


class Submission(models.Model):
    """One request to a carrier. It carries the lease; messages never do."""

    id = models.UUIDField(primary_key=True)
    carrier = models.CharField(max_length=40)
    #: Which of the carrier's parallel requests this is, 1..window.
    slot = models.PositiveSmallIntegerField()
    status = models.CharField(max_length=12, default=states.CLAIMED)
    lease_until = models.DateTimeField()
    #: Ids of the messages asked for, as text, in order.
    message_ids = models.JSONField()
    created_at = models.DateTimeField()
    submitting_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    #: When its unknown messages are asked about; and which of them the last query did not know.
    query_due_at = models.DateTimeField(null=True)
    absent_ids = models.JSONField(default=list)
    #: How the carrier answered, for people: counts per outcome, or the error's name.
    outcome = models.CharField(max_length=255, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("carrier", "slot"),
                condition=Q(status__in=sorted(states.OPEN_SUBMISSIONS)),
                name="bulksms_submission_slot",
            ),
            one_of(
                "status",
                (states.CLAIMED, states.SUBMITTING, states.RECORDED, states.LOST),
                "submission_status",
            ),
        )
        indexes = (
            models.Index(
                fields=("lease_until",),
                condition=Q(status__in=sorted(states.OPEN_SUBMISSIONS)),
                name="bulksms_submission_lease",
            ),
            models.Index(
                fields=("query_due_at",),
                condition=Q(query_due_at__isnull=False),
                name="bulksms_submission_query",
            ),
        )

    def __str__(self) -> str:
        return str(self.id)


def _charge_fits_status() -> Q:
    condition = Q(charge=states.HELD, status=states.DELIVERED, attempt__gt=1)
    for charge, fitting in states.CHARGE_STATES.items():
        condition |= Q(charge=charge, status__in=sorted(fitting))
    return condition


class Message(models.Model):
    """One recipient of a campaign; also every single SMS. The row is the truth about it.

    ``intake_*`` say how it was accepted or refused and never change, so that an answer can be
    rendered again. ``sender`` and ``text`` are null when the campaign's hold.
    """

    id = models.UUIDField(primary_key=True)
    organisation = _soft("bulksms.Organisation")
    campaign = _soft("bulksms.Campaign")
    #: E.164 digits; empty when the input is no valid number.
    number = models.CharField(max_length=15, blank=True)
    #: What the caller wrote, where it differs from ``number``.
    input = models.CharField(max_length=64, blank=True)
    sender = models.CharField(max_length=15, null=True)  # noqa: DJ001 - null: the campaign's
    text = models.TextField(null=True)  # noqa: DJ001 - null: the campaign's
    intake_status = models.CharField(max_length=8)
    intake_error = models.CharField(max_length=40, blank=True)
    intake_detail = models.CharField(max_length=255, blank=True)

    units = models.PositiveSmallIntegerField(default=0)
    unit_price_micros = models.BigIntegerField(default=0)
    cost_micros = models.BigIntegerField(default=0)
    hold = models.ForeignKey(
        "bulksms.Hold", null=True, on_delete=models.DO_NOTHING, db_constraint=False,
        db_index=False, related_name="+",
    )  # fmt: skip
    charge = models.CharField(max_length=8, default=states.NONE)
    captured_micros = models.BigIntegerField(default=0)
    refunded_micros = models.BigIntegerField(default=0)

    status = models.CharField(max_length=12)
    error = models.CharField(max_length=60, blank=True)
    error_detail = models.CharField(max_length=255, blank=True)
    carrier = models.CharField(max_length=40, blank=True)
    carrier_ref = models.CharField(max_length=120, blank=True)
    submission = models.ForeignKey(
        Submission, null=True, on_delete=models.DO_NOTHING, db_constraint=False,
        db_index=False, related_name="+",
    )  # fmt: skip
    #: The funded try that this row is on (from 1); older ones are in MessageAttempt.
    attempt = models.PositiveSmallIntegerField(default=1)
    #: How often a carrier was asked for it, over all attempts.
    asks = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    asked_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            one_of("status", states.MESSAGE_STATES, "message_status"),
            models.CheckConstraint(
                condition=_charge_fits_status(), name="bulksms_message_charge_fits_status"
            ),
            models.CheckConstraint(
                condition=Q(cost_micros=F("unit_price_micros") * F("units")),
                name="bulksms_message_cost_is_units_times_price",
            ),
            models.CheckConstraint(
                condition=Q(charge__in=(states.CAPTURED, states.REFUNDED),
                            captured_micros=F("cost_micros"))
                | Q(charge__in=(states.NONE, states.HELD, states.RELEASED), captured_micros=0),
                name="bulksms_message_captured",
            ),
            models.CheckConstraint(
                condition=Q(refunded_micros=0)
                | Q(charge=states.REFUNDED, refunded_micros__lte=F("captured_micros")),
                name="bulksms_message_refunded",
            ),
            models.CheckConstraint(
                condition=Q(charge=states.NONE) | Q(hold__isnull=False),
                name="bulksms_message_funded_by_hold",
            ),
            at_least_zero(
                "unit_price_micros", "captured_micros", "refunded_micros", name="message_amounts"
            ),
        )  # fmt: skip
        indexes = (
            models.Index(fields=("campaign", "id"), name="bulksms_message_campaign"),
            models.Index(
                fields=("campaign", "due_at", "id"),
                condition=Q(status=states.QUEUED),
                name="bulksms_message_queue",
            ),
            models.Index(
                fields=("carrier", "carrier_ref"),
                condition=~Q(carrier_ref=""),
                name="bulksms_message_carrier_ref",
            ),
            models.Index(fields=("organisation", "id"), name="bulksms_message_org"),
            # For hosts that follow finished messages; written once, when the message is done.
            models.Index(
                fields=("organisation", "done_at", "id"),
                condition=Q(done_at__isnull=False),
                name="bulksms_message_done",
            ),
        )

    def __str__(self) -> str:
        return str(self.id)

    def __repr__(self) -> str:
        return f"<Message {self.id} {self.status}>"


class MessageAttempt(models.Model):
    """A replaced attempt of a message, copied here when it is retried. Append-only."""

    message = _soft("bulksms.Message")
    attempt = models.PositiveSmallIntegerField()
    status = models.CharField(max_length=12)
    error = models.CharField(max_length=60, blank=True)
    error_detail = models.CharField(max_length=255, blank=True)
    carrier = models.CharField(max_length=40, blank=True)
    carrier_ref = models.CharField(max_length=120, blank=True)
    units = models.PositiveSmallIntegerField(default=0)
    unit_price_micros = models.BigIntegerField(default=0)
    cost_micros = models.BigIntegerField(default=0)
    hold = models.ForeignKey(
        "bulksms.Hold", null=True, on_delete=models.DO_NOTHING, db_constraint=False,
        db_index=False, related_name="+",
    )  # fmt: skip
    charge = models.CharField(max_length=8)
    captured_micros = models.BigIntegerField(default=0)
    refunded_micros = models.BigIntegerField(default=0)
    asked_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)
    replaced_at = models.DateTimeField()
    #: What a report for this attempt said after it was replaced.
    late_status = models.CharField(max_length=12, blank=True)
    late_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("message", "attempt"), name="bulksms_messageattempt_unique"
            ),
        )
        indexes = (
            models.Index(
                fields=("carrier", "carrier_ref"),
                condition=~Q(carrier_ref=""),
                name="bulksms_attempt_carrier_ref",
            ),
        )

    def __str__(self) -> str:
        return f"{self.message_id} attempt {self.attempt}"
