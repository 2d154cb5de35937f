"""Execution algorithms: how one large order becomes small ones, and the desk that works them."""
