"""Risk on demand: a portfolio, what every method says of it, and the report."""
