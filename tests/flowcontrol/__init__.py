"""Flow control in real time: `make flow`. The rest is in tests/flows and tests/services."""
