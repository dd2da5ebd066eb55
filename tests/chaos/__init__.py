"""Everything falls over at once: real processes, brokers, database and carrier (`make chaos`)."""
