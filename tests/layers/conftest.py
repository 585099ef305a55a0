"""One thread of torch, as these bricks are small."""

import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread():
    """One thread: more would only wait for one another."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
