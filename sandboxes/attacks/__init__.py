"""What a sandbox must hold against: one file each."""
