"""One thread of torch, as these models are small."""

import pytest
import torch
from torch.utils.checkpoint import checkpoint


@pytest.fixture(autouse=True)
def one_thread():
    """One thread: more would only wait for one another."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True, scope="session")
def checkpointing_loaded():
    """What torch loads when it first checkpoints takes a second or more, which no test should."""
    one = torch.ones(1, requires_grad=True)
    checkpoint(torch.square, one, use_reentrant=False).backward()
