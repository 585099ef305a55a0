"""What is slow the first time, done before the tests."""

import pytest
import torch
from torch.utils.checkpoint import checkpoint


@pytest.fixture(autouse=True, scope="session")
def checkpointing_loaded():
    """What torch loads when it first checkpoints takes a second or more, which no test should."""
    one = torch.ones(1, requires_grad=True)
    checkpoint(torch.square, one, use_reentrant=False).backward()
