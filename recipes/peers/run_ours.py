"""`Diarizer` with its defaults, for the same questions as its peers; see runner.py."""

import sys

from runner import Diarize, Turn, serve


def load(threads: int, attributor: str = "auto") -> Diarize:
    """Load our own pipeline as a user of the Python interface does."""
    import torch

    from diarize import Diarizer, DiarizerSettings

    torch.set_num_threads(threads)
    diarizer = Diarizer(DiarizerSettings(attributor=attributor))

    def diarize(wav: str) -> list[Turn]:
        annotation = diarizer(wav).annotation
        return [
            Turn(segment.start, segment.end, str(speaker))
            for segment, _, speaker in annotation.itertracks(yield_label=True)
        ]

    return diarize


if __name__ == "__main__":
    sys.exit(serve(load, ["torch"]))
