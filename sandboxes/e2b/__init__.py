"""Sandboxes at E2B: small virtual machines of a service."""
