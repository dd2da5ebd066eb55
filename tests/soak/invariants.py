"""What must hold after every step. Each function raises AssertionError; its first sentence says
what it protects. The fake carriers' books, never the app's own opinion, judge what was sent.

What must always be true, and what looks at it here (deeds compare more than rows: what the app
answered). The audit of the app itself runs after every step too.

    I1   balances are the sum of their entries   every_balance_is_the_sum_of_its_entries
    I2   a hold is settled once                  what_is_held_is_held_for_open_rows
    I3   captured: units at the frozen price     what_is_held_is_held_for_open_rows
    I4   accepted once per reference             no_reference_is_accepted_twice
    I5   nothing is sent unpaid                  nothing_is_sent_unpaid
    I6   every row and hold comes to its end     play.Player.finish
    I7   final states do not go back             only_allowed_moves_were_made, try_forbidden
    I8   every recipient is counted once         every_row_is_counted_once, the deeds of sending
    I9   rolled back: nothing is sent            a_refusal_changes_nothing
         committed: sent without a broker        Player.finish (no nudge ever arrives in a soak)
    I10  one effect per idempotency key          a_refusal_changes_nothing, deed send_again
    I11  nothing is sent after STOP              nobody_is_texted_after_stop
    I12  price and text are frozen               price_and_text_are_frozen
    I13  tenants are apart                       a_tenant_changes_its_own_rows_only
    I14  a repeated report changes nothing       a_refusal_changes_nothing, deed repeat
    I15  reports in any order end the same       deed hear_in_two_orders
    I16  charged parts are the sent parts        nothing_is_sent_unpaid
    I17  window and pace of a carrier            requests_stay_within_window_and_pace
    I18  cancelled: not sent, all money back     nothing_waits_that_a_carrier_has,
                                                 what_was_cancelled_costs_nothing
         too late to cancel: it says so          deed cancel
    I19  a clock that goes back sends nothing    no_reference_is_accepted_twice,
         twice                                   deed clock_goes_back
    I20  a hold is the sum of its rows' costs    what_is_held_is_held_for_open_rows
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.soak.checks import carriers, money, rows
from tests.soak.checks.step import Step

INVARIANTS: Sequence[Callable[[Step], None]] = (
    money.every_balance_is_the_sum_of_its_entries,
    money.what_is_held_is_held_for_open_rows,
    money.what_was_cancelled_costs_nothing,
    money.nothing_is_sent_unpaid,
    rows.price_and_text_are_frozen,
    rows.every_row_is_counted_once,
    rows.only_allowed_moves_were_made,
    rows.a_tenant_changes_its_own_rows_only,
    rows.a_refusal_changes_nothing,
    carriers.no_reference_is_accepted_twice,
    carriers.nothing_waits_that_a_carrier_has,
    carriers.what_counts_as_sent_was_sent,
    carriers.nobody_is_texted_after_stop,
    carriers.requests_stay_within_window_and_pace,
    carriers.nothing_leaves_that_must_not,
)
