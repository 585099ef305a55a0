"""`python -m diarize.jobs`."""

import sys

from diarize.jobs import main

sys.exit(main())
