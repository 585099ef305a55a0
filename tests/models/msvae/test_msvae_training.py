"""An MS-VAE trained as its recipe does: killed anywhere, it goes on to the same numbers."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from tiny_msvae import SQUARE, TINY, chance

from diarize.models.contract import Batch, Supply
from diarize.models.msvae.model import MSVAE
from diarize.training.loop import train
from diarize.training.settings import PhaseSettings, TrainSettings
from diarize.training.shipped import load_model

PHASES = {
    "experts": PhaseSettings(epochs=2, rate=0.02),
    "mixtures": PhaseSettings(epochs=2, rate=0.02, clip_norm=100.0),
    "refine": PhaseSettings(epochs=1, rate=0.005),
}
SETTINGS = TrainSettings(
    seed=5, device="cpu", phases=PHASES, average_decay=0.9, checkpoint_every_s=0.0, journal_every=1
)
VARIANTS = {
    "shared, coarse": replace(SQUARE, posterior="truncated", training_precision="bfloat16"),
    "separate, exact, afresh": replace(TINY, n_values=16, normalised=True, fresh_encoders=True),
    "few candidates, a gain": replace(
        SQUARE, posterior="truncated", most_candidates=2, gain_spread=0.2, readout="weighed"
    ),
}
BARS = torch.eye(4)[:3].repeat_interleave(4, 1)
N_CALLS = 2 * 3 + 2 + 2 * 3 + 2 + 3 + 1  # losses, and ends of epochs


class Killed(BaseException):
    """Stands for SIGKILL: nothing handles it."""


class Glyphs:
    """Three bars of light, alone and superposed; of some mixtures the pattern is known."""

    def n_batches(self, phase):
        return 3

    def mixtures(self, epoch, step):
        """Superposed bars, and which they are."""
        generator = chance(10 * epoch + step)
        on = (torch.rand(8, 3, generator=generator) < 0.4).int()
        return on.float() @ BARS + 0.05 * torch.randn(8, 16, generator=generator), on

    def epoch(self, phase, epoch, start=0):
        for step in range(start, 3):
            x, on = self.mixtures(epoch, step)
            if phase == "experts":
                labels = torch.arange(8) % 3
                yield Batch(BARS[labels] + x - on.float() @ BARS, labels)
            else:
                yield Batch(x, patterns=torch.where(torch.arange(8)[:, None] < 3, on, -1))


def fresh(settings):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return MSVAE(settings)


def killed_after(monkeypatch, n_calls):
    """Let the model work `n_calls` times more, as loss or at an epoch's end; then it is killed."""
    left = [n_calls]

    def until_killed(method):
        def called(self, *given):
            found = method(self, *given)  # sums are touched before it is killed
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return found

        return called

    for name in ("loss", "end_epoch"):
        monkeypatch.setattr(MSVAE, name, until_killed(getattr(MSVAE, name)))
    return left


def test_the_supply_of_these_tests_is_one():
    assert isinstance(Glyphs(), Supply)


@pytest.mark.parametrize("variant", VARIANTS)
def test_killed_at_any_moment_it_goes_on_to_the_same_numbers(tmp_path, monkeypatch, variant):
    settings = VARIANTS[variant]
    with monkeypatch.context() as patched:
        left = killed_after(patched, N_CALLS)
        train(fresh(settings), Glyphs(), SETTINGS, tmp_path / "whole")
        assert left[0] == 0
    for n_calls in (2, 0, 4, 3, 5):  # of which it goes on each time, to step 14 of 20
        with monkeypatch.context() as patched:
            killed_after(patched, n_calls)
            with pytest.raises(Killed):
                train(fresh(settings), Glyphs(), SETTINGS, tmp_path / "killed")
    train(fresh(settings), Glyphs(), SETTINGS, tmp_path / "killed")
    whole, killed = (
        load_file(tmp_path / name / "model.safetensors") for name in ("whole", "killed")
    )
    assert whole.keys() == killed.keys()
    assert [name for name in whole if not torch.equal(whole[name], killed[name])] == []


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_ships_says_what_the_trained_model_does(tmp_path, variant):
    model = fresh(VARIANTS[variant])
    train(model, Glyphs(), SETTINGS, tmp_path)
    loaded = load_model(tmp_path / "model.safetensors")
    assert loaded.settings == model.settings
    x = next(Glyphs().epoch("mixtures", 9)).inputs
    mine, its = model.attribute(x), loaded.attribute(x)
    assert torch.equal(mine.presence, its.presence)
    assert torch.equal(mine.sources, its.sources)


def test_it_learns_who_is_there_how_often_and_how_noisily(tmp_path):
    settings = replace(
        TINY, n_values=16, encoder_widths=(24,), decoder_widths=(12,), expert_scale=0.1, scale=1.0
    )
    phases = {
        "experts": PhaseSettings(epochs=25, rate=0.03),
        "mixtures": PhaseSettings(epochs=25, rate=0.02),
    }
    model, supply = fresh(settings), Glyphs()
    train(model, supply, replace(SETTINGS, phases=phases, checkpoint_every_s=60.0), tmp_path)
    unseen = [supply.mixtures(epoch, 0) for epoch in range(100, 120)]
    right = torch.cat([(model.attribute(x).pattern.int() == on).all(1) for x, on in unseen])
    assert float(right.double().mean()) > 0.95
    last = [supply.mixtures(24, step)[1][3:] for step in range(3)]  # of patterns it is not told
    torch.testing.assert_close(model.presence, torch.cat(last).float().mean(0), atol=0.02, rtol=0)
    assert 0.03 < float(model.scale) < 0.12  # of the noise, the absolute mean is 0.04
