"""The vector gear: what target weights would have earned, bar by bar, with every cost."""
