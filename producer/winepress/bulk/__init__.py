"""Many pictures at once: files of items, wildcards, matrices; cost, submission and results."""
