"""What separation costs, by hand; spectra that are inverted; parts of bands; shapes of stems."""

import math

import pytest
import torch

from diarize.models.rqvae import objective
from diarize.models.rqvae.config import LossSettings, SpectrumSettings
from diarize.models.rqvae.shaping import shaped
from diarize.models.rqvae.spectrum import Parts, Spectrum

SETTINGS = LossSettings(floor_db=30.0, silent=0.5)
BANDS = SpectrumSettings(
    n_fft=16, band_counts=(2, 1), band_widths=(2, 4), band_shares=(2, 2), kernel=3
)


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def test_noise_to_signal_in_decibels():
    error, stem = torch.tensor([[0.1, 0.01]]), torch.tensor([[1.0, 1.0]])
    found = objective.ratio_loss(error, stem, torch.tensor([2.0]), SETTINGS)
    wanted = (10 * math.log10(0.1 + 1e-3) + 10 * math.log10(0.01 + 1e-3)) / 2
    assert float(found) == pytest.approx(wanted)


def test_a_stem_that_does_not_play_costs_what_leaks_into_it():
    error, stem = torch.tensor([[0.02]]), torch.tensor([[0.0]])
    found = objective.ratio_loss(error, stem, torch.tensor([2.0]), SETTINGS)
    assert float(found) == pytest.approx(0.5 * 10 * math.log10(0.01 + 1e-4))


def test_silence_costs_a_finite_amount():
    nothing = torch.zeros(1, 2)
    assert bool(objective.ratio_loss(nothing, nothing, torch.zeros(1), SETTINGS).isfinite())
    silent = torch.zeros(1, 2, 50)
    assert float(objective.si_sdr_loss(silent, silent, SETTINGS)) == 0


def test_energies_of_shares_are_those_of_what_the_shares_make_and_so_is_the_gradient():
    stems = torch.randn(2, 3, 5, 9, generator=chance(), dtype=torch.complex64)
    mixture, parts = stems.sum(1), Parts(BANDS)
    shares = torch.randn(2, 3, 5, 6, generator=chance(1)).softmax(1).requires_grad_()
    error, stem, power = objective.share_energies(shares, mixture, stems, parts)
    direct = ((parts.spread(shares) * mixture[:, None] - stems).abs() ** 2).sum((2, 3))
    torch.testing.assert_close(error, direct, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(stem, (stems.abs() ** 2).sum((2, 3)))
    torch.testing.assert_close(power, (mixture.abs() ** 2).sum((1, 2)))
    weights = torch.rand(2, 3, generator=chance(2))
    found = torch.autograd.grad((weights * error).sum(), shares)[0]
    wanted = torch.autograd.grad((weights * direct).sum(), shares)[0]
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


def test_the_scale_invariant_ratio_knows_no_scale_and_leaves_silent_stems_out():
    stems = torch.zeros(1, 2, 4)
    stems[0, 0] = torch.tensor([1.0, 0.0, 1.0, 0.0])
    noise = torch.tensor([0.0, 0.1, 0.0, -0.1])
    estimates = torch.stack([3 * (stems[0, 0] + noise), torch.ones(4)])[None]
    found = objective.si_sdr_loss(estimates, stems, SETTINGS)
    assert float(found) == pytest.approx(10 * math.log10(0.02 / 2 + 1e-3), abs=1e-4)


def test_distances_of_spectra_are_nothing_for_what_is_right_and_something_else_for_what_is_not():
    stems = 0.1 * torch.randn(1, 2, 5000, generator=chance())
    for distance in (objective.spectra_loss, lambda *both: objective.mel_loss(*both, 22_050)):
        assert float(distance(stems, stems)) == pytest.approx(0, abs=1e-2)
        assert float(distance(0.5 * stems, stems)) > 0.1


def test_mel_spectra_of_fewer_frames_are_the_published_ones_on_average():
    stems = 0.1 * torch.randn(2, 2, 8000, generator=chance())
    estimates = stems + 0.1 * torch.randn(2, 2, 8000, generator=torch.Generator().manual_seed(1))
    all_of_it = float(objective.mel_loss(estimates, stems, 22_050))
    fewer = [
        float(objective.mel_loss(estimates, stems, 22_050, hop=512, start=start))
        for start in range(0, 512, 32)
    ]
    assert min(fewer) < max(fewer)
    assert sum(fewer) / len(fewer) == pytest.approx(all_of_it, rel=0.02)


def test_mel_spectra_of_windows_shorter_than_the_start_are_heard_from_their_end():
    stems = 0.1 * torch.randn(1, 2, 100, generator=chance())
    assert math.isfinite(float(objective.mel_loss(0 * stems, stems, 22_050, hop=512, start=400)))


def test_spectra_are_inverted_exactly():
    sound = torch.randn(2, 3, 101, generator=chance())
    spectrum = Spectrum(16)
    found = spectrum.inverse(spectrum.forward(sound), 101)
    torch.testing.assert_close(found, sound, atol=1e-5, rtol=0)


def test_parts_sum_their_frequencies_and_spread_their_value():
    parts = Parts(BANDS)  # widths 1, 1, 1, 1, 2, 2 and the last frequency
    assert parts.sums(torch.arange(9.0)).tolist() == [0, 1, 2, 3, 9, 6 + 7 + 8]
    assert parts.spread(torch.arange(6.0)).tolist() == [0, 1, 2, 3, 4, 4, 5, 5, 5]


def test_shapes_stay_within_their_bounds_and_are_the_same_at_all_times():
    spectra = torch.ones(2, 3, 4, 50, dtype=torch.complex64)
    gain_db = 20 * torch.log10(shaped(spectra, 6.0, chance()).abs())
    assert float(gain_db.abs().max()) <= 6.0 + 1e-4
    assert float(gain_db.std(2).max()) < 1e-4
    assert float(gain_db[0, 0, 0].std()) > 0.1
    assert float((gain_db[0, 0, 0] - gain_db[0, 1, 0]).abs().max()) > 0.1
