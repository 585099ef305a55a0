"""Chance that hangs on a seed and on names, and on nothing drawn before."""

from __future__ import annotations

import hashlib

import numpy as np
import torch


def generator_of(seed: int, *names: str | int) -> np.random.Generator:
    """A generator for what `names` tell of, such as a phase, an epoch and a batch's number.

    >>> one, same = (generator_of(42, "mixtures", 3).random() for _ in range(2))
    >>> one == same, one == generator_of(42, "mixtures", 4).random()
    (True, False)
    """
    return np.random.default_rng([seed, *(_number(name) for name in names)])


def torch_generator(chance: np.random.Generator) -> torch.Generator:
    """A generator of torch, seeded by the next number that `chance` draws."""
    return torch.Generator().manual_seed(int(chance.integers(2**63)))


def _number(name: str | int) -> int:
    if isinstance(name, int):
        return name
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
