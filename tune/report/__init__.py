"""Reports as one HTML file that needs nothing else, no network either."""
