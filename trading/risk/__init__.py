"""Pre-trade risk: limits, checks, permits, breakers, stops, and the machine that applies them."""
