"""The fractions of the capital whose growth is best, made smaller for what is not known and not bearable."""
