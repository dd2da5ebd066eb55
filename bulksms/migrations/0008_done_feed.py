from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("bulksms", "0007_outbox_labels"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                condition=models.Q(("done_at__isnull", False)),
                fields=["organisation", "done_at", "id"],
                name="bulksms_message_done",
            ),
        ),
    ]
