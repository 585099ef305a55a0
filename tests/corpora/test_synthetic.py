import numpy as np
import pytest

from diarize.audio.frames import FrameGrid
from diarize.audio.io import RATE_HZ
from diarize.corpora.conversation import overlap_share
from diarize.corpora.synthetic import synthetic_conversation
from diarize.corpora.synthetic_voice import HIGH, LOW, speak


@pytest.fixture(scope="module")
def conversation():
    return synthetic_conversation(seed=0)


def truth(conversation):
    grid = FrameGrid.over(len(conversation.samples) / RATE_HZ, 0.01)
    timeline = conversation.reference.get_timeline().support()
    return grid, grid.active((segment.start, segment.end) for segment in timeline)


def test_both_talkers_speak_and_overlap_a_little(conversation):
    assert len(conversation.samples) == 40 * RATE_HZ
    assert conversation.reference.labels() == ["synthetic_high", "synthetic_low"]
    for talker in conversation.reference.labels():
        assert conversation.reference.label_duration(talker) > 8
    assert 0.02 < overlap_share(conversation.reference) < 0.1


def test_the_same_seed_gives_the_same_samples():
    first, again, other = (synthetic_conversation(seed, 6.0) for seed in (1, 1, 2))
    assert again.samples.tobytes() == first.samples.tobytes()
    assert again.reference == first.reference
    assert other.reference != first.reference


def test_silence_is_quiet_and_speech_is_loud(conversation):
    _, true = truth(conversation)
    frames = conversation.samples[: len(true) * 160].reshape(-1, 160)
    levels_db = 10 * np.log10(np.mean(frames**2, axis=1))
    assert np.median(levels_db[true]) > np.median(levels_db[~true]) + 25


@pytest.mark.parametrize("aggressiveness", [2, 3])
def test_webrtc_takes_it_for_speech(conversation, aggressiveness):
    webrtcvad = pytest.importorskip("webrtcvad")
    _, true = truth(conversation)
    detector = webrtcvad.Vad(aggressiveness)
    values = (conversation.samples * 32_767).astype("<i2")
    fires = np.array(
        [
            detector.is_speech(values[at : at + 160].tobytes(), RATE_HZ)
            for at in range(0, len(true) * 160, 160)
        ]
    )
    assert fires[true].mean() > 0.85
    assert fires[~true].mean() < 0.15


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # silero-vad's own affair
def test_silero_takes_it_for_speech(conversation):
    torch = pytest.importorskip("torch")
    silero = pytest.importorskip("silero_vad")
    grid, true = truth(conversation)
    found = silero.get_speech_timestamps(
        torch.from_numpy(conversation.samples), silero.load_silero_vad(), speech_pad_ms=0
    )
    fires = grid.active((one["start"] / RATE_HZ, one["end"] / RATE_HZ) for one in found)
    assert fires[true].mean() > 0.85
    assert fires[~true].mean() < 0.15


@pytest.mark.parametrize(("talker", "lowest_hz", "highest_hz"), [(LOW, 80, 150), (HIGH, 160, 300)])
def test_a_talker_has_the_pitch_that_is_his(talker, lowest_hz, highest_hz):
    spoken = speak(talker, 3.0, np.random.default_rng(0))
    pitches_hz = []
    for at in range(0, len(spoken.samples) - 1024, 512):
        frame = spoken.samples[at : at + 1024].astype(float)
        if np.std(frame) > 0.03:
            auto = np.correlate(frame, frame, "full")[1024:]  # lags from one sample on
            lag = 40 + int(np.argmax(auto[39:250]))  # 64 to 400 Hz
            pitches_hz.append(RATE_HZ / lag)
    assert lowest_hz < np.median(pitches_hz) < highest_hz


def test_what_is_said_lasts_about_as_long_as_was_wanted():
    for wanted_s in (0.5, 2.0, 8.0):
        spoken = speak(LOW, wanted_s, np.random.default_rng(1))
        assert 0.5 * wanted_s < spoken.duration_s < 1.7 * wanted_s
        assert np.isfinite(spoken.samples).all()
        assert np.abs(spoken.samples).max() < 2
        assert all(0 <= start < end <= spoken.duration_s for start, end in spoken.spans)
