"""The bar of a recording's steps: in order, never backwards, each of them shown."""

import io

import pytest
from rich.console import Console

from diarize.cli import progress


@pytest.fixture
def shown(monkeypatch):
    """What a bar writes to its terminal."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80)
    monkeypatch.setattr("rich.console.Console", lambda **_: console)
    return out


def test_the_bar_of_a_diarization_never_goes_back_and_shows_each_step(shown, loaded, talk):
    bar = progress._Bar(2)
    done = []

    def told(step, share):
        bar(step, share)
        done.append(bar.bar.tasks[0].completed)

    with bar.bar:
        loaded(talk.samples, rate_hz=16_000, progress=told)
        bar.next_recording()
    assert done == sorted(done)
    assert done[-1] == 1.0
    assert bar.bar.tasks[0].completed == 1.0
    for step in ("segmentation", "voices", "attribution"):
        assert f"1/2 {step}" in shown.getvalue()
