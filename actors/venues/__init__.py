"""Adapters to venues: each offers `trading.ports.VenuePort` for one account."""
