"""Order books: the obvious one, the fast one, what can be read off them, and the shard that keeps many."""
