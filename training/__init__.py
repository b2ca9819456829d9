"""Training code of the bundled models; see `train.py`."""
