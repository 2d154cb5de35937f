"""Decisions: causal functions from bars to target weights, and the machine that runs them live."""
