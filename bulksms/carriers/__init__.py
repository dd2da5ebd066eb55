"""Carriers: who takes our messages. ``base`` is the contract, every other file is one carrier."""
