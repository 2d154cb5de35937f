"""The ladder that a strategy written by an agent climbs: from a candidate to paper, from paper to money."""
