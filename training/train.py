"""Trains the bundled models: `python training/train.py STAGE --work DIR`; see --help."""

import sys
from importlib import import_module
from pathlib import Path

if __name__ == "__main__":
    # Run as a file, the package is found only with its parent folder on the path.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    sys.exit(import_module("training.command").main())
