"""What the rungs of the ladder ask of a strategy that an agent wrote, computed."""
