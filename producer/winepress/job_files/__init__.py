"""Job files, in our own format and in those of other programs."""
