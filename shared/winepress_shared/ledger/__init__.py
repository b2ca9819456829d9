"""The record of all jobs, in Redis: the Lua scripts and the modules that call them."""
