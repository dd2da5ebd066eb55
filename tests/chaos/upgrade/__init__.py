"""A database as an older version left it, and what becomes of it."""
