"""MCP: the farm as tools of an assistant, over stdio and over HTTP."""
