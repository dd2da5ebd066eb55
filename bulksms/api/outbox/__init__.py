"""The dialect "outbox": camelCase, no trailing slashes, entries with nested entries."""
