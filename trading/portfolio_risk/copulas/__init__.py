"""Copulas: how assets move together, apart from how each moves alone."""
