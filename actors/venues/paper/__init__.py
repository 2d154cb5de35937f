"""The paper venue: the simulated exchange, reached over the data plane like a real one over a network."""
