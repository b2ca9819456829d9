"""The models of the catalogue in two sizes: as published, to be counted, and tiny, to be run."""
