"""Signals that a host project may listen to. Sent after the commit; a receiver cannot break us."""

from __future__ import annotations

from django.dispatch import Signal

#: What is available in a wallet has fallen below its ``low_balance_micros``: once per crossing.
#: Sender: the Wallet class. Arguments: ``organisation_id``, ``wallet_id``, ``currency``,
#: ``available_micros``, ``threshold_micros``.
low_balance = Signal()
