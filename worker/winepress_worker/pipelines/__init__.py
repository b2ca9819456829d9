"""Which pipelines are loaded on a device, and what is unloaded to make room."""
