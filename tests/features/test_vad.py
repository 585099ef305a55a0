import numpy as np
import pytest
import torch

from diarize.corpora.synthetic import synthetic_conversation
from diarize.errors import BadCall
from diarize.features.vad import DETECTORS, SpeechActivity, detect_speech, webrtc_speech

# silero-vad's own network is TorchScript; PyTorch deprecates reading it
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.load. is deprecated:DeprecationWarning")


@pytest.fixture(scope="module")
def conversation():
    """Four seconds, in which somebody begins to talk after 1.4 s."""
    return synthetic_conversation(seed=0, duration_s=4.0)


@pytest.fixture
def bursts(generator):
    """Three seconds: loud noise in the second one, silence before and after."""
    samples = np.zeros(48_000, np.float32)
    samples[16_000:32_000] = 0.3 * generator.normal(size=16_000)
    return samples


def mean_between(speech, start_s, end_s):
    return speech.probability[round(start_s / speech.hop_s) : round(end_s / speech.hop_s)].mean()


def test_webrtc_takes_loud_bursts_for_speech_and_silence_for_none(bursts):
    speech = webrtc_speech(bursts)
    assert set(np.unique(speech.probability)) == {0.0, 1.0}
    assert mean_between(speech, 1.1, 1.9) > 0.9
    assert mean_between(speech, 2.3, 3.0) == 0
    assert not webrtc_speech(np.zeros(48_000, np.float32)).probability[4:].any()


@pytest.mark.parametrize("detector", DETECTORS)
def test_talk_is_told_from_silence(detector, conversation):
    speech = detect_speech(conversation.samples, detector)
    middle_s = (np.arange(len(speech.probability)) + 0.5) * speech.hop_s
    talks = np.zeros(len(middle_s), bool)
    for turn in conversation.reference.get_timeline().support():
        talks |= (middle_s > turn.start) & (middle_s < turn.end)
    assert speech.probability[talks].mean() > 0.8
    assert speech.probability[(middle_s > 0.3) & (middle_s < 1.2)].mean() < 0.2
    silent = detect_speech(np.zeros(32_000, np.float32), detector)
    assert silent.probability[4:].max() < 0.2


@pytest.mark.parametrize("detector", DETECTORS)
def test_speech_is_found_in_a_meeting(detector, real):
    # trn00: MEE068 talks from 11.040 s to 15.632 s
    speech = detect_speech(real("ami_clips/trn00.flac", 10, 6), detector)
    assert mean_between(speech, 1.3, 5.3) > 0.7  # he takes a breath


@pytest.mark.parametrize("detector", DETECTORS)
@pytest.mark.parametrize("n_samples", [1, 16, 511, 513, 16_000])
def test_frames_never_reach_a_frame_beyond_the_recording(detector, n_samples):
    speech = detect_speech(np.zeros(n_samples, np.float32), detector)
    frame = round(speech.hop_s * 16_000)
    assert n_samples // frame <= len(speech.probability) <= -(-n_samples // frame)
    assert ((speech.probability >= 0) & (speech.probability <= 1)).all()


@pytest.mark.parametrize("detector", DETECTORS)
def test_the_same_audio_gives_the_same_twice(detector, conversation):
    once, again = (detect_speech(conversation.samples, detector) for _ in range(2))
    np.testing.assert_array_equal(once.probability, again.probability)


def test_samples_beyond_full_scale_do_not_wrap_around(bursts):
    np.testing.assert_array_equal(
        webrtc_speech(bursts * 50).probability,
        webrtc_speech(np.clip(bursts * 50, -1, 1)).probability,
    )


def test_the_number_of_threads_is_left_as_it_was(conversation):
    torch.set_num_threads(2)
    try:
        detect_speech(conversation.samples[:512], "silero")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_another_grid_reads_the_frame_under_its_middle():
    speech = SpeechActivity(np.array([0.1, 0.9], np.float32), 0.1)
    # middles at 0.035, 0.085, 0.135, 0.185, 0.235 s
    on_grid = speech.on_grid(5, 0.05, 0.01)
    np.testing.assert_allclose(on_grid, [0.1, 0.1, 0.9, 0.9, 0.0])
    assert on_grid.dtype == np.float32


def test_there_is_no_speech_before_the_recording_nor_after_it():
    speech = SpeechActivity(np.ones(2, np.float32), 0.1)
    np.testing.assert_array_equal(speech.on_grid(4, 0.1, -0.1), [0, 1, 1, 0])
    nothing = SpeechActivity(np.zeros(0, np.float32), 0.03)
    np.testing.assert_array_equal(nothing.on_grid(2, 0.02, 0.0), [0, 0])


def test_a_detector_that_is_none_is_refused_with_those_there_are():
    with pytest.raises(BadCall, match=r"'energy'; there are webrtc, silero"):
        detect_speech(np.zeros(16, np.float32), "energy")
