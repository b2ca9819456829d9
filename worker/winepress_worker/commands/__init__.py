"""The commands that the worker adds to the command line."""
