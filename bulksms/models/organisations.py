"""Who sends: organisations, their API keys and their sender IDs."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Upper
from model_utils import Choices
from model_utils.fields import StatusField

from bulksms.models.base import CreatedModel, one_of

LIVE = "live"
TEST = "test"


class Organisation(CreatedModel):
    """A tenant: owns a wallet, keys, sender IDs and everything sent with them."""

    MODE = Choices(LIVE, TEST)

    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=60, unique=True)
    mode = StatusField(choices_name="MODE", max_length=8)
    #: A test organisation's live twin. Test and live are two tenants, so nothing can leak across.
    live_twin = models.OneToOneField(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="test_twin"
    )
    is_house = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    default_region = models.CharField(max_length=2, default="KE")
    #: Regions that it may send to, as "KE UG"; empty = its default region only.
    allowed_regions = models.CharField(max_length=255, blank=True)
    time_zone = models.CharField(max_length=60, default="Africa/Nairobi")

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("is_house",),
                condition=models.Q(is_house=True),
                name="bulksms_organisation_one_house",
            ),
            one_of("mode", (LIVE, TEST), "organisation_mode"),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def regions(self) -> frozenset[str]:
        """The regions that it may send to."""
        return frozenset(self.allowed_regions.split() or [self.default_region])


class ApiKey(CreatedModel):
    """A bearer key. Only a SHA-256 of it is kept; the key itself is shown once, when it is made."""

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="api_keys"
    )
    name = models.CharField(max_length=80, blank=True)
    prefix = models.CharField(max_length=16, unique=True)
    secret_sha256 = models.CharField(max_length=64)
    scopes = models.JSONField(default=list)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    #: Written at most once a minute.
    last_used_at = models.DateTimeField(null=True, blank=True)
    #: The key that this one was made to take over from (rotation).
    replaces = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="replaced_by"
    )

    def __str__(self) -> str:
        return f"{self.prefix}…"

    def __repr__(self) -> str:
        return f"<ApiKey {self.prefix}… of {self.organisation_id}>"


class SenderId(CreatedModel):
    """A sender name that an organisation may use, as registered with the networks."""

    STATUS = Choices("approved", "pending", "rejected", "revoked")
    KIND = Choices("transactional", "promotional")

    organisation = models.ForeignKey(
        Organisation, on_delete=models.CASCADE, related_name="sender_ids"
    )
    name = models.CharField(max_length=15)
    kind = StatusField(choices_name="KIND", max_length=16)
    #: The network that it is registered with; empty = all.
    network = models.CharField(max_length=40, blank=True)
    status = StatusField(max_length=12)
    is_default = models.BooleanField(default=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                "organisation", Upper("name"), "network", name="bulksms_senderid_unique"
            ),
            models.UniqueConstraint(
                fields=("organisation",),
                condition=models.Q(is_default=True),
                name="bulksms_senderid_one_default",
            ),
            one_of("status", ("approved", "pending", "rejected", "revoked"), "senderid_status"),
            one_of("kind", ("transactional", "promotional"), "senderid_kind"),
        )

    def __str__(self) -> str:
        return self.name
