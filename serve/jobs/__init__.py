"""Jobs as folders and processes of their own."""
