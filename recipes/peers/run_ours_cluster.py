"""`Diarizer` with clustering in place of the speech MS-VAE; see runner.py."""

import functools
import sys

from run_ours import load
from runner import serve

if __name__ == "__main__":
    sys.exit(serve(functools.partial(load, attributor="cluster"), ["torch"]))
