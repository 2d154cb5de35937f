"""Whether a strategy may be believed: no look into the future, the memory that it claims, sane weights."""
