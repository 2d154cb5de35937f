"""How assets move together: estimates, repair, clusters, effective numbers, and an alarm when it changes."""
