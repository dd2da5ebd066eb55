"""What callers call their requests and messages: references, names, tags. Nothing is paid by them.

A request's labels stand on its campaign. Where the messages of one request have labels of their own
(the outbox dialect's array), those are rows of MessageLabels.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.db import IntegrityError, transaction

from bulksms import db
from bulksms.exceptions import FieldError, ReferenceReused
from bulksms.models import Campaign, MessageLabels, Organisation

#: Of a reference, a user's label, a name.
MAX_LENGTH = 255
MAX_TAGS, MAX_TAG_LENGTH = 20, 50
MAX_METADATA_BYTES, MAX_METADATA_DEPTH = 4096, 5

#: A NUL character as json.dumps writes it: after an even number of backslashes.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
#: Into how many parts a list of references is cut for one statement.
_AT_ONCE = 5_000

_NOTHING: Mapping[str, Any] = {}
_encode = json.JSONEncoder().encode

_COLUMNS = (
    "message_id", "organisation_id", "campaign_id", "reference", "user_label", "name", "tags",
    "metadata",
)  # fmt: skip


class Own(NamedTuple):
    """What one item of a request has of its own: sender (None: the default one) and labels."""

    sender_id: str | None = None
    reference: str = ""
    user_label: str = ""
    name: str = ""
    tags: Sequence[object] = ()
    metadata: Mapping[str, Any] = _NOTHING

    def __repr__(self) -> str:
        return "<Own>"

    @property
    def labels(self) -> tuple[object, ...]:
        """What may be said of several messages at once."""
        return self.user_label, self.name, self.tags, self.metadata

    @property
    def is_labelled(self) -> bool:
        return bool(self.reference) or any(self.labels)


def write(campaign: Campaign, ids: Iterable[UUID], own: Iterable[Own]) -> bool:
    """Store the labels of the campaign's messages (``ids``, in order); False: one is taken.

    Inside the campaign's transaction; after False it can only be rolled back.
    """
    rows = [
        (
            id_, campaign.organisation_id, campaign.pk, each.reference, each.user_label, each.name,
            _encode(list(each.tags)), _encode(dict(each.metadata)),
        )
        for id_, each in zip(ids, own, strict=True)
        if each.is_labelled
    ]  # fmt: skip
    if not rows:
        return True
    try:
        with transaction.atomic():
            db.insert(MessageLabels, _COLUMNS, rows)
    except IntegrityError:
        return False
    return True


def of(message_ids: Sequence[UUID]) -> dict[UUID, MessageLabels]:
    """The labels of messages that have any of their own."""
    return {row.message_id: row for row in MessageLabels.objects.filter(pk__in=list(message_ids))}


def holders(organisation: Organisation, references: Collection[str]) -> set[UUID]:
    """The campaigns that have one of these references, or a message that has."""
    wanted = sorted(r for r in set(references) if 0 < len(r) <= MAX_LENGTH and "\x00" not in r)
    found: set[UUID] = set()
    for start in range(0, len(wanted), _AT_ONCE):
        some = wanted[start : start + _AT_ONCE]
        for rows, column in ((Campaign.objects, "id"), (MessageLabels.objects, "campaign_id")):
            taken = rows.filter(organisation=organisation, reference__in=some)
            found |= set(taken.values_list(column, flat=True))
    return found


def first_of(
    organisation: Organisation, references: Collection[str], request_sha256: str
) -> Campaign | None:
    """The campaign of an earlier request with these references, if that was the same request.

    Raises ReferenceReused when it was another one.
    """
    known = Campaign.objects.filter(id__in=holders(organisation, references))
    campaigns = list(known.select_related("organisation"))
    if not campaigns:
        return None
    if len(campaigns) > 1 or campaigns[0].request_sha256 != request_sha256:
        raise ReferenceReused
    return campaigns[0]


# What is right


def faults(own: Own) -> list[FieldError]:
    """What is wrong with these labels, by the names of the service's fields."""
    errors = []
    for name in ("reference", "user_label", "name"):
        text = getattr(own, name)
        if len(text) > MAX_LENGTH:
            detail = f"{name} has at most {MAX_LENGTH} characters."
            errors.append(FieldError(name, f"{name}_too_long", detail))
        elif "\x00" in text:
            errors.append(FieldError(name, f"invalid_{name}", f"{name} cannot have NUL in it."))
    return errors + _tag_errors(own.tags) + _metadata_errors(own.metadata)


def _tag_errors(tags: Sequence[object]) -> list[FieldError]:
    errors = []
    if len(tags) > MAX_TAGS:
        errors.append(FieldError("tags", "too_many_tags", f"At most {MAX_TAGS} tags."))
    if not all(
        isinstance(tag, str) and 0 < len(tag) <= MAX_TAG_LENGTH and "\x00" not in tag
        for tag in tags
    ):
        detail = f"A tag is text of 1 to {MAX_TAG_LENGTH} characters, without NUL."
        errors.append(FieldError("tags", "invalid_tag", detail))
    return errors


def _metadata_errors(metadata: Mapping[str, Any]) -> list[FieldError]:
    if _is_small(metadata):
        return []
    if _depth(metadata) > MAX_METADATA_DEPTH:
        detail = f"metadata may be nested {MAX_METADATA_DEPTH} deep at the most."
        return [FieldError("metadata", "metadata_too_deep", detail)]
    try:
        document = json.dumps(metadata, allow_nan=False)
    except (TypeError, ValueError):
        detail = "metadata must be plain JSON: text, numbers, lists, objects."
        return [FieldError("metadata", "invalid_metadata", detail)]
    if len(document) > MAX_METADATA_BYTES:
        size = len(document)
        detail = f"metadata has {size} bytes as JSON; at most {MAX_METADATA_BYTES} are allowed."
        return [FieldError("metadata", "metadata_too_large", detail)]
    if _NUL.search(document):
        return [FieldError("metadata", "invalid_metadata", "metadata cannot have NUL in it.")]
    return []


def _is_small(metadata: Mapping[str, Any]) -> bool:
    """Whether a quick look is enough: a few short texts, right whatever is in them but NUL."""
    size = 0
    for name, value in metadata.items():
        if type(value) is not str or "\x00" in value or "\x00" in name:
            return False
        size += 6 * (len(name) + len(value)) + 6  # every character as \uXXXX, quotes, signs
    return size + 2 <= MAX_METADATA_BYTES


def _depth(value: object, level: int = 1) -> int:
    """How deep ``value`` is nested; stops looking just beyond what is allowed."""
    if level > MAX_METADATA_DEPTH or not isinstance(value, list | tuple | Mapping):
        return level if isinstance(value, list | tuple | Mapping) else level - 1
    inner = value.values() if isinstance(value, Mapping) else value
    return max([level, *(_depth(each, level + 1) for each in inner)])
