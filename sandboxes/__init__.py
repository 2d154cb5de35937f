"""Quarantine: runs code that nobody vouches for."""
