"""One regular expression per numbering plan, built from the metadata of ``phonenumbers``.

``phonenumbers`` needs 20-30 microseconds for a number; most numbers of a campaign are plain
mobile numbers of one country, which a compiled pattern reads in one. The pattern is made from the
library's own metadata, so it changes when the library is updated, and nobody types prefixes here.

It must never accept what the library would refuse or read in another way. Whatever is not
certain (a national prefix that is more than digits, several regions behind one calling code
unless this one is tried first, an overlap with another kind of number) makes the pattern miss,
or leaves the region without one; a miss only means that the library itself is asked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

# phonenumbers looks at these kinds before it looks at mobile: a number matching two is not mobile.
_KINDS_BEFORE_MOBILE = (
    "premium_rate",
    "toll_free",
    "shared_cost",
    "voip",
    "personal_number",
    "pager",
    "uan",
    "voicemail",
)
_PLAIN_PREFIXES = re.compile(r"(?:[0-9]+(?:\|[0-9]+)*)?")


@cache  # bounded by the number of regions
def calling_code(region: str) -> str:
    """Digits of the calling code of a region ("KE" -> "254").

    Raises ValueError for a region that ``phonenumbers`` does not know.
    """
    metadata = PhoneMetadata.metadata_for_region(region, None)
    if metadata is None or metadata.country_code is None:
        raise ValueError(f"{region!r:.40} is not a two-letter region that phonenumbers knows.")
    return str(metadata.country_code)


@cache  # bounded by the number of regions
def mobile_pattern(region: str) -> re.Pattern[str] | None:
    """Pattern matching every certain form of a mobile number; group 1 is the national number.

    The forms are ``+<code>N``, ``<code>N``, ``<national prefix>N`` and ``N``, in ASCII digits
    without separators. None when the plan of the region is too involved for a pattern.
    """
    metadata = PhoneMetadata.metadata_for_region(region, None)
    plan = plan_of(metadata) if metadata else None
    return pattern_of(plan) if plan else None


@dataclass(frozen=True, slots=True)
class Plan:
    """What of a region's metadata decides how its mobile numbers are read."""

    code: str
    idd: str  # pattern of the international prefix, or ""
    prefix: str  # the national prefix, or ""
    prefixes: tuple[str, ...]  # all that is stripped as one when it leads
    general: str  # pattern of all national numbers
    mobile: str  # pattern of mobile numbers, and of nothing else when `others` do not match
    lengths: tuple[int, ...]
    others: tuple[str, ...]


def pattern_of(plan: Plan) -> re.Pattern[str] | None:
    """The pattern of one plan; None if the metadata has groups of its own."""
    forms = [
        rf"\+{plan.code}",
        # Without "+" the library first asks whether the digits as they stand are a number.
        rf"{_not(plan.idd)}{_not(_whole(plan.general))}{plan.code}",
        _not(plan.idd),
    ]
    if plan.prefix:
        others = "|".join(prefix for prefix in plan.prefixes if prefix != plan.prefix)
        forms.append(rf"{_not(plan.idd)}(?!{plan.code}){_not(others)}{plan.prefix}")
    # ASCII: "\d" in the metadata must not match digits of other scripts here.
    compiled = re.compile(rf"(?:{'|'.join(forms)})({_national(plan)})\Z", re.ASCII)
    return compiled if compiled.groups == 1 else None


def plan_of(metadata: PhoneMetadata) -> Plan | None:
    """None unless the library reads a mobile number of this plan by these facts alone."""
    mobile, general, code = metadata.mobile, metadata.general_desc, metadata.country_code
    if mobile is None or general is None or code is None:
        return None
    if not mobile.national_number_pattern or not general.national_number_pattern:
        return None
    prefix, stripped = metadata.national_prefix or "", metadata.national_prefix_for_parsing or ""
    if prefix not in stripped.split("|") or not _PLAIN_PREFIXES.fullmatch(stripped):
        return None
    if metadata.leading_digits or COUNTRY_CODE_TO_REGION_CODE[code][0] != metadata.id:
        return None
    kinds = [getattr(metadata, kind) for kind in _KINDS_BEFORE_MOBILE]
    return Plan(
        code=str(code),
        idd=metadata.international_prefix or "",
        prefix=prefix,
        prefixes=tuple(filter(None, stripped.split("|"))),
        general=general.national_number_pattern,
        mobile=mobile.national_number_pattern,
        lengths=tuple(sorted({*mobile.possible_length} & {*general.possible_length})),
        others=tuple(kind.national_number_pattern for kind in kinds if kind),
    )


def _national(plan: Plan) -> str:
    """The national number: mobile, of a possible length, and nothing else it could be."""
    sized = "|".join(rf"\d{{{length}}}\Z" for length in plan.lengths) or "(?!)"
    return "".join(
        [
            rf"(?={sized})(?={_whole(plan.general)})",
            _not("|".join(plan.prefixes)),
            *(_not(_whole(pattern)) for pattern in plan.others),
            rf"(?:{plan.mobile})",
        ]
    )


def _whole(pattern: str) -> str:
    return rf"(?:{pattern})\Z"


def _not(pattern: str) -> str:
    return rf"(?!{pattern})" if pattern else ""
