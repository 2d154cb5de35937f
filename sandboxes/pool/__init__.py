"""Sandboxes that many share: warm workers, turns, quotas and quarantine, on Ray."""
