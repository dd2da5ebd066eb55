"""``make fuzz``: schemathesis against a live server, with every check of its."""
