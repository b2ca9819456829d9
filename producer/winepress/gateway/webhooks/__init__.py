"""Webhooks: what tells the owner of a job, at an address of theirs, what happens to it."""
