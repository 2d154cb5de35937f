"""Durable, ordered, hash-chained record of all that must not be lost."""
