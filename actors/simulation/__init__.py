"""The whole system in one process under a virtual clock, with faults injected by seed."""
