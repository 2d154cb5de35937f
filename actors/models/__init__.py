"""Registered models: where they are kept, and how one is asked."""
