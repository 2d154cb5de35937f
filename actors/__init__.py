"""One owner per piece of state: hosts, bus, journal, venue adapters, feeds."""
