"""The HTTP API of the front desk: thin routes over what the desk answers."""
