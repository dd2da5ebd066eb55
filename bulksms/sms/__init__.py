"""Pure rules of text and numbers: no rows, no sockets, no clock, nothing of Django."""
