"""`python -m diarize` is the command `diarize`."""

import sys

from diarize.cli import main

if __name__ == "__main__":
    sys.exit(main())
