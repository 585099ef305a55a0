import numpy as np
import pytest

from diarize.audio.energy import (
    SpeechRule,
    active_level_dbfs,
    clearance_db,
    frame_levels_db,
    speech_spans,
)

RATE_HZ = 16_000


def bursts(*spans, duration_s=4.0, floor=0.0):
    """Tones of amplitude 0.1 in the spans (s), over noise of that amplitude."""
    samples = floor * np.random.default_rng(0).normal(size=round(duration_s * RATE_HZ))
    for start_s, end_s in spans:
        at = slice(round(start_s * RATE_HZ), round(end_s * RATE_HZ))
        samples[at] += 0.1 * np.sin(2 * np.pi * 500 * np.arange(at.stop - at.start) / RATE_HZ)
    return samples.astype(np.float32)


def test_bursts_are_found_to_the_frame():
    assert speech_spans(bursts((0.5, 1.2), (2.0, 3.5)), RATE_HZ) == [(0.5, 1.2), (2.0, 3.5)]


def test_short_pauses_are_bridged_and_long_ones_kept():
    spans = speech_spans(bursts((0.5, 1.0), (1.15, 1.5), (1.75, 2.0)), RATE_HZ)
    assert spans == [(0.5, 1.5), (1.75, 2.0)]


def test_a_pause_of_exactly_the_bridge_is_kept():
    assert len(speech_spans(bursts((0.5, 1.0), (1.2, 1.5)), RATE_HZ)) == 2


def test_clicks_are_dropped():
    assert speech_spans(bursts((0.5, 1.0), (2.0, 2.03)), RATE_HZ) == [(0.5, 1.0)]


def test_a_steady_background_raises_the_threshold():
    noisy = bursts((0.5, 1.5), (2.5, 3.0), floor=0.003)  # 27 dB under the tones
    assert speech_spans(noisy, RATE_HZ) == [(0.5, 1.5), (2.5, 3.0)]


def test_the_clearance_is_the_distance_to_the_background():
    noisy = bursts((0.5, 3.5), floor=0.0005)  # tones at -23 dBFS, noise at -66
    assert clearance_db(noisy, RATE_HZ) == pytest.approx(43, abs=1.5)
    assert clearance_db(np.zeros(100), RATE_HZ) == 0


def test_quiet_words_count_within_the_range_only():
    samples = bursts((0.5, 2.0))
    samples[48_000:56_000] = bursts((3.0, 3.5))[48_000:56_000] / 10  # 20 dB down
    assert speech_spans(samples, RATE_HZ) == [(0.5, 2.0), (3.0, 3.5)]
    assert speech_spans(samples, RATE_HZ, SpeechRule(range_db=18.0)) == [(0.5, 2.0)]


@pytest.mark.parametrize("samples", [np.zeros(16_000), np.zeros(0), np.zeros(5)])
def test_silence_holds_no_speech(samples):
    assert speech_spans(samples, RATE_HZ) == []
    assert active_level_dbfs(samples, RATE_HZ) == -120


def test_pauses_do_not_lower_the_active_level():
    expected_dbfs = 20 * np.log10(0.1 / np.sqrt(2))
    for duration_s in (2.0, 8.0):
        samples = bursts((0.5, 1.5), duration_s=duration_s)
        assert active_level_dbfs(samples, RATE_HZ) == pytest.approx(expected_dbfs, abs=0.01)


def test_a_part_of_a_frame_is_a_frame():
    assert len(frame_levels_db(np.full(161, 0.1), RATE_HZ)) == 2
