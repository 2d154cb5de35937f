"""Vectorised indicators. All are causal: row t depends on rows up to t only."""
