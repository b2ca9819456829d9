"""The programs of a farm on one machine, one module each."""
