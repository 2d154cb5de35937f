"""Scripts that run inside the virtual machine, with the standard library alone. Never believed."""
