"""The tools, one file per toolset. Importing a file puts its tools into `serve.mcp.tool.TOOLS`."""
