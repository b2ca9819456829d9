"""Jobs written in files: our own format and those of other programs."""
