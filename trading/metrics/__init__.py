"""What a course of equity is worth: return, risk, ratios, trades, and how far to trust them."""
