"""A small host project: a shop that texts its customers. What a user of bulksms would copy."""
