import numpy as np
import pytest
import torch

from diarize.features.mel import FLOOR, N_MELS, kaldi_fbank, n_fbank_frames


@pytest.fixture
def noise():
    """Three rows of 0.7 s, the second loud, the third with silence in it."""
    samples = torch.randn(3, 11_200, generator=torch.Generator().manual_seed(0)) * 0.05
    samples[1] *= 10
    samples[2, 3_000:9_000] = 0
    return samples


def test_the_values_are_those_of_kaldi(noise):
    kaldi = pytest.importorskip("torchaudio.compliance.kaldi", reason="torchaudio is not installed")
    for row in noise:
        expected = kaldi.fbank(row[None], num_mel_bins=80, dither=0.0, sample_frequency=16_000.0)
        torch.testing.assert_close(kaldi_fbank(row), expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("n_samples", "n_frames"),
    [(0, 0), (1, 0), (399, 0), (400, 1), (559, 1), (560, 2), (16_000, 98)],
)
def test_only_whole_frames_count(n_samples, n_frames):
    assert n_fbank_frames(n_samples) == n_frames
    assert kaldi_fbank(torch.zeros(n_samples)).shape == (n_frames, N_MELS)
    assert kaldi_fbank(torch.zeros(2, n_samples)).shape == (2, n_frames, N_MELS)


def test_silence_lies_on_the_floor():
    assert (kaldi_fbank(torch.zeros(4_000)) == np.log(np.float32(FLOOR))).all()


def test_a_constant_is_silence_because_the_mean_is_removed():
    assert (kaldi_fbank(torch.full((4_000,), 0.5)) == np.log(np.float32(FLOOR))).all()


def test_a_row_of_a_batch_equals_the_row_alone(noise):
    together = kaldi_fbank(noise)
    for row, alone in zip(together, noise, strict=True):
        torch.testing.assert_close(row, kaldi_fbank(alone))


def test_a_tone_is_loudest_in_the_band_around_it():
    time_s = torch.arange(16_000) / 16_000
    bands = [
        int(kaldi_fbank(0.1 * (2 * torch.pi * hz * time_s).sin())[50].argmax())
        for hz in (200, 1_000, 4_000)
    ]
    # 20 Hz is 31.7 mel, 8000 Hz 2840.0: 81 steps of 34.7 mel, band 0 one step above the lowest;
    # the tones are 283.2, 1000.0 and 2146.1 mel
    assert bands == [6, 27, 60]


def test_ten_times_louder_is_a_hundred_times_the_power(noise):
    louder = kaldi_fbank(noise[0] * 10) - kaldi_fbank(noise[0])
    torch.testing.assert_close(louder, torch.full_like(louder, np.log(100.0)), atol=1e-3, rtol=0)


def test_gradients_flow_even_after_a_call_that_wanted_none(noise):
    from diarize.features import mel

    mel._povey_window.cache_clear()
    mel._mel_banks.cache_clear()
    with torch.inference_mode():
        kaldi_fbank(noise)
    samples = noise.clone().requires_grad_()
    kaldi_fbank(samples[:2]).sum().backward()
    assert samples.grad[:2].isfinite().all()
    assert samples.grad[:2].any()
