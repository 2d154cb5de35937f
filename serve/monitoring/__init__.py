"""What is measured of a running cluster, for Prometheus and for alerts."""
