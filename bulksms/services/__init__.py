"""What bulksms does, as functions: each owns its transaction; views, actors and commands call one.

The floors (import-linter holds them): reconcile > sending | dispatch | reports > settlement >
campaigns > the rest. A message's life reads in that order.
"""
