"""The weights that ship: they part what anybody would part, and both ways to the sound work."""

import numpy as np
import pytest

from diarize import Separator, SeparatorSettings
from diarize.codecs import load_codec

RATE_HZ = 22_050


def beats_and_hum(duration_s=3.0):
    """Bursts of noise twice a second, and a low tone with overtones, which goes on."""
    chance, n_samples = np.random.default_rng(0), round(duration_s * RATE_HZ)
    beats, at = np.zeros(n_samples), np.arange(n_samples) / RATE_HZ
    for start in range(RATE_HZ // 4, n_samples - 4000, RATE_HZ // 2):
        beats[start : start + 4000] = (
            0.5 * chance.standard_normal(4000) * np.exp(-np.arange(4000) / 800)
        )
    hum = 0.3 * sum(np.sin(2 * np.pi * 55 * n * at) / n for n in (1, 2, 3))
    return beats.astype(np.float32), hum.astype(np.float32)


def likeness(one, other):
    return float(np.corrcoef(one, other)[0, 1])


@pytest.mark.parametrize(  # white noise is the hardest to say in codes
    ("output", "drums", "bass"), [("mixture", 0.95, 0.95), ("codes", 0.6, 0.9)]
)
def test_beats_are_drums_and_a_hum_is_bass(output, drums, bass):
    beats, hum = beats_and_hum()
    tracks = Separator(SeparatorSettings(output=output))(beats + hum, RATE_HZ)
    assert likeness(tracks.samples["drums"][0], beats) > drums
    assert likeness(tracks.samples["bass"][0], hum) > bass
    assert abs(likeness(tracks.samples["bass"][0], beats)) < 0.2


def test_the_codec_that_ships_keeps_a_sound_at_24_kbit_a_second():
    import torch

    beats, hum = beats_and_hum(1.0)
    codec = load_codec("rvq")
    given = torch.from_numpy(beats + hum)[None, None]
    found = codec.decode_codes(codec.encode(given))
    assert codec.bits_per_s == pytest.approx(24_332.5, abs=1)
    assert float((found - given).pow(2).sum() / given.pow(2).sum()) < 0.1


def test_of_beats_and_a_hum_the_first_component_is_what_is_held_and_the_second_what_is_struck():
    beats, hum = beats_and_hum(6.0)
    tracks = Separator(SeparatorSettings("composable"))(beats + hum, RATE_HZ)
    held, struck = (tracks.samples[name][0] for name in ("component_1", "component_2"))
    assert likeness(held, hum) > 0.95
    assert likeness(struck, beats) > 0.9
    np.testing.assert_allclose(held + struck, beats + hum, atol=1e-5)
