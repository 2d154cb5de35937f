"""HTTP: routes, problems, and the way from raw bytes to a forecast and back."""
