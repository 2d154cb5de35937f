"""The door: who comes in, with what permissions, and how often."""
