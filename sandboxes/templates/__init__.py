"""What a sandbox is furnished with: pinned packages, environment, limits. One TOML file per template."""
