"""The language and the arithmetic of trading: pure, no Ray, no I/O, no clock, no randomness."""
