"""The front desk for agents: tools, resources and prompts of the Model Context Protocol."""
