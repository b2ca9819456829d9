"""Batches: files of items, wildcards, matrices; their cost, submission and results."""
