"""The record of all jobs, in Redis: the scripts and what calls them."""
