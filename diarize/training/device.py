"""What a training computes on: a processor with so many threads, or a GPU for each rank."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from diarize.errors import BadCall


def pick_device(name: str, local: int = 0) -> torch.device:
    """The device called "cpu", "cuda", or "auto": a GPU if there is one.

    `local` is the number of this rank among those on this machine: each has a GPU of its own.

    Raises:
        BadCall: a GPU is wanted, and there is none, or none for this rank.
    """
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise BadCall("device = 'cuda', and torch sees no GPU here; 'auto' or 'cpu' would be right")
    if name == "cpu" or not there:
        return torch.device("cpu")
    if not local:
        return torch.device("cuda")
    if local >= torch.cuda.device_count():
        raise BadCall(
            f"rank {local} of this machine, and torch sees {torch.cuda.device_count()} GPUs here; "
            "a rank a GPU, or device = 'cpu', would be right"
        )
    torch.cuda.set_device(local)
    return torch.device("cuda", local)


@contextlib.contextmanager
def threads_of(number: int) -> Iterator[None]:
    """Let torch have so many threads in the block; 0 leaves them as they are."""
    before = torch.get_num_threads()
    if number:
        torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
