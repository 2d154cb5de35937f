"""The composition root: configuration, topology, supervisor, command line."""
