"""Sound sent through a codec and back has the shape and rate it had."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from diarize.codecs import load_codec
from diarize.codecs.contract import Encoded
from diarize.codecs.round_trip import round_trip


@dataclass
class Halves:
    """A codec of two channels whose codes are halves, and whose latents are nothing."""

    rate_hz: int = 8000
    n_channels: int = 2
    frame_rate_hz: float = 8000.0
    n_latents: int = 2
    n_codes: int = 2
    bits_per_s: float = 1.0

    def encode(self, audio):
        assert audio.shape[1] == 2
        return Encoded(torch.zeros_like(audio), (audio * 2).round().long(), None, audio.shape[2])

    def decode(self, encoded):
        return encoded.latents

    def decode_codes(self, encoded):
        return encoded.codes.float() / 2


@pytest.mark.parametrize("n_channels", [1, 2])
def test_codes_are_taken_where_there_are_codes_and_channels_stay(n_channels):
    samples = np.tile(np.float32([0.4, -0.6, 1.0, 0.1]), (n_channels, 100))
    np.testing.assert_array_equal(
        round_trip(Halves(), samples, 8000), np.tile([0.5, -0.5, 1.0, 0.0], (n_channels, 100))
    )


def test_a_codec_of_another_rate_hears_sound_at_its_own():
    at_s = np.arange(16000) / 16000
    samples = np.sin(2 * np.pi * 300 * at_s, dtype=np.float32)[None]
    made = round_trip(load_codec("stft"), samples, 16000)
    assert made.shape == samples.shape
    np.testing.assert_allclose(made[:, 500:-500], samples[:, 500:-500], atol=0.02)


def test_channels_of_a_codec_of_one_channel_are_kept_apart():
    samples = np.random.default_rng(0).normal(0, 0.1, (2, 8192)).astype(np.float32)
    codec = load_codec("stft")
    made = round_trip(codec, samples, codec.rate_hz)
    np.testing.assert_allclose(made, samples, atol=1e-4)
