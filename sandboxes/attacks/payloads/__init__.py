"""One attack a file: scripts that run inside a sandbox and say what got through. Never run elsewhere."""
