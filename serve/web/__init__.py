"""The live page: its first state is rendered here, then one script keeps it current."""
