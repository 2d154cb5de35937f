"""Forecasts as a service: what a replica does, and the replicas on Ray Serve."""
