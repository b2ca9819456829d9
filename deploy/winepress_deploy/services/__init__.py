"""The services of a farm on one machine, one module each."""
