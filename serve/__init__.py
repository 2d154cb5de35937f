"""The front desk: forecasts as a service, HTTP, MCP, the web page."""
