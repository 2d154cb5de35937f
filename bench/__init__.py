"""Measured claims: every figure stands beside a peer or a naive version measured in the same run."""
