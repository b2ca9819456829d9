"""``python -m winepress``: the command of this very interpreter, whatever PATH says."""

import sys

from winepress.cli import main

if __name__ == "__main__":
    sys.exit(main())
