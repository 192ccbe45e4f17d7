"""Output: the standard streams, and the log on stderr; nothing else in the project writes to them."""
