"""What a farm tells Prometheus: the list of metrics, where their values come from, their text."""
