"""Every interleaving of two actors at the boundaries of their SQL statements."""
