"""Alpaca: US stocks, options and crypto, through alpaca-py."""
