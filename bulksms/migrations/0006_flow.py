from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("bulksms", "0005_api")]

    operations = [
        migrations.CreateModel(
            name="Share",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("carrier", models.CharField(max_length=40)),
                ("priority", models.CharField(default="normal", max_length=8)),
                ("served_parts", models.BigIntegerField(default=0)),
                (
                    "organisation",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=models.deletion.CASCADE,
                        to="bulksms.organisation",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("carrier", "priority", "organisation"),
                        name="bulksms_share_unique",
                    ),
                    models.CheckConstraint(
                        condition=Q(priority__in=["high", "normal"]),
                        name="bulksms_share_priority",
                    ),
                    models.CheckConstraint(
                        condition=Q(served_parts__gte=0), name="bulksms_share_served"
                    ),
                ],
            },
        ),
        migrations.RemoveConstraint(
            model_name="message", name="bulksms_message_charge_fits_status"
        ),
        migrations.AddConstraint(
            model_name="message",
            constraint=models.CheckConstraint(
                condition=Q(charge="held", status="delivered", attempt__gt=1)
                | Q(charge="none", status__in=["failed", "skipped"])
                | Q(
                    charge="held",
                    status__in=[
                        "cancelled",
                        "expired",
                        "failed",
                        "queued",
                        "sending",
                        "unconfirmed",
                        "unknown",
                    ],
                )
                | Q(
                    charge="captured",
                    status__in=[
                        "delivered",
                        "expired",
                        "rejected",
                        "sent",
                        "unconfirmed",
                        "undelivered",
                    ],
                )
                | Q(
                    charge="released",
                    status__in=[
                        "cancelled",
                        "delivered",
                        "expired",
                        "failed",
                        "rejected",
                        "unconfirmed",
                        "undelivered",
                    ],
                )
                | Q(
                    charge="refunded",
                    status__in=[
                        "delivered",
                        "expired",
                        "rejected",
                        "unconfirmed",
                        "undelivered",
                    ],
                ),
                name="bulksms_message_charge_fits_status",
            ),
        ),
        migrations.AddField(
            "report", "part", models.CharField(blank=True, default="", max_length=9)
        ),
        migrations.AddIndex(
            model_name="report",
            index=models.Index(
                condition=~Q(part=""), fields=["message"], name="bulksms_report_parts"
            ),
        ),
        migrations.AddField("campaign", "cancelled_at", models.DateTimeField(null=True)),
        migrations.AddIndex(
            model_name="campaign",
            index=models.Index(
                condition=Q(cancelled_at__isnull=False, queued_count__gt=0),
                fields=["cancelled_at"],
                name="bulksms_campaign_cancelling",
            ),
        ),
        migrations.AddField("carrierstate", "fair_parts", models.BigIntegerField(default=0)),
        migrations.AddField("carrierstate", "fair_high_parts", models.BigIntegerField(default=0)),
        migrations.AddField(
            "carrierstate", "high_in_a_row", models.PositiveSmallIntegerField(default=0)
        ),
        migrations.AddField("carrierstate", "strikes", models.PositiveSmallIntegerField(default=0)),
        migrations.AddField(
            "carrierstate", "usual_parts", models.PositiveSmallIntegerField(default=1)
        ),
        migrations.AddField("carrierstate", "waking_at", models.DateTimeField(null=True)),
    ]
