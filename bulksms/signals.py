"""Signals that a host project may listen to. Sent after the commit; a receiver cannot break us."""

from __future__ import annotations

from django.dispatch import Signal

#: What is available in a wallet has fallen below its ``low_balance_micros``: once per crossing.
#: Sender: the Wallet class. Arguments: ``organisation_id``, ``wallet_id``, ``currency``,
#: ``available_micros``, ``threshold_micros``.
low_balance = Signal()

#: Messages are done: nothing more is expected of them. At most once each, in batches, and not
#: after a crash between the commit and the signal: what must not be missed is in the tables.
#: Sender: the Message class. Arguments: ``campaign_id``, ``message_ids`` (list of UUID).
messages_finished = Signal()

#: All messages of a campaign are done. At most once per completion; a retry opens it again.
#: Sender: the Campaign class. Argument: ``campaign_id``.
campaign_finished = Signal()
