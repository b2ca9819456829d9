"""The process that draws: takes slices, renders their units, delivers the results."""
