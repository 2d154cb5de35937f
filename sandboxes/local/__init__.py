"""Isolation on this machine: namespaces, Landlock, a filter of system calls, limits."""
