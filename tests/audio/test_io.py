import io
import os
import struct

import av
import numpy as np
import pytest
import soundfile
import soxr

from diarize.audio.io import audio_from_array, read_audio
from diarize.errors import BadCall, BadFile


@pytest.fixture
def tone():
    """Two seconds, 440 Hz, 16 kHz."""
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(32_000) / 16_000)).astype(np.float32)


def wav(path, samples, rate_hz=16_000, **kwargs):
    soundfile.write(path, samples, rate_hz, **kwargs)
    return path


def encoded(path, codec, seconds=1.0, video=False):
    """A file that PyAV makes: stereo 48 kHz tone, and a few pictures where `video`."""
    n = int(48_000 * seconds)
    one = (0.5 * np.sin(2 * np.pi * 440 * np.arange(n) / 48_000)).astype(np.float32)
    with av.open(str(path), "w") as container:
        if video:
            pictures = container.add_stream("mpeg4", rate=10)
            pictures.width, pictures.height = 64, 64
            pictures.pix_fmt = "yuv420p"
        sound = container.add_stream(codec, rate=48_000, layout="stereo") if codec else None
        if video:
            for _ in range(10):
                frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
                container.mux(pictures.encode(frame))
            container.mux(pictures.encode(None))
        if sound is not None:
            frame = av.AudioFrame.from_ndarray(np.stack([one, one]), "fltp", "stereo")
            frame.rate = 48_000
            container.mux(sound.encode(frame))
            container.mux(sound.encode(None))
    return path


def refusal(source, **kwargs):
    with pytest.raises(BadFile) as caught:
        read_audio(source, **kwargs)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_wav_at_the_wanted_rate_comes_back_sample_for_sample(tmp_path, tone):
    audio = read_audio(wav(tmp_path / "call.wav", tone, subtype="FLOAT"))
    np.testing.assert_array_equal(audio.samples, tone)
    assert (audio.rate_hz, audio.recording, audio.notes) == (16_000, "call", ())
    assert audio.duration_s == 2.0


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "DOUBLE", "PCM_U8"])
def test_every_sample_type_has_full_scale_one(tmp_path, tone, subtype):
    audio = read_audio(wav(tmp_path / "call.wav", tone, subtype=subtype))
    np.testing.assert_allclose(audio.samples, tone, atol=0.01 if subtype == "PCM_U8" else 1e-4)


@pytest.mark.parametrize("ending", ["flac", "ogg", "mp3"])
def test_compressed_files_keep_their_length_and_sound(tmp_path, tone, ending):
    audio = read_audio(wav(tmp_path / f"call.{ending}", tone))
    assert len(audio.samples) == 32_000
    assert np.corrcoef(audio.samples[4000:28_000], tone[4000:28_000])[0, 1] > 0.99


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 44_100, 48_000, 192_000])
def test_block_wise_resampling_equals_resampling_the_whole(tmp_path, rate_hz):
    noise = np.random.default_rng(0).normal(0, 0.1, (rate_hz * 4, 2)).astype(np.float32)
    audio = read_audio(wav(tmp_path / "call.wav", noise, rate_hz, subtype="FLOAT"))
    whole = soxr.resample(noise.mean(axis=1), rate_hz, 16_000, quality="HQ")
    assert len(audio.samples) == 64_000
    np.testing.assert_allclose(audio.samples, whole, atol=1e-4)
    assert audio.notes[1] == f"{rate_hz} Hz resampled to 16000 Hz"


def test_many_channels_become_their_mean(tmp_path, tone):
    channels = np.stack([tone * gain for gain in range(8)], axis=1) / 8
    audio = read_audio(wav(tmp_path / "array.wav", channels, subtype="FLOAT"))
    np.testing.assert_allclose(audio.samples, tone * 3.5 / 8, atol=1e-6)
    assert audio.source_channels == 8
    assert audio.notes == ("8 channels averaged to one", "silent: channel 1 of 8")


def test_channels_that_cancel_are_told(tmp_path, tone):
    audio = read_audio(wav(tmp_path / "phase.wav", np.stack([tone, -tone], axis=1)))
    assert "channels cancel" in audio.notes[-1]


def test_clipping_is_told(tmp_path, tone):
    audio = read_audio(wav(tmp_path / "loud.wav", np.clip(4 * tone, -1, 1), subtype="PCM_16"))
    assert audio.notes[0].startswith("clipped: 6")


def test_a_float_wav_of_integers_is_told(tmp_path, tone):
    audio = read_audio(wav(tmp_path / "loud.wav", tone * 32_768, subtype="FLOAT"))
    assert "16384 where full scale is 1"[:4] in audio.notes[-1] or "full scale" in audio.notes[-1]


def test_one_millisecond_is_a_recording(tmp_path):
    audio = read_audio(wav(tmp_path / "click.wav", np.full(48, 0.1), 48_000))
    assert len(audio.samples) == 16


@pytest.mark.parametrize(
    ("name", "codec"), [("a.m4a", "aac"), ("a.mkv", "aac"), ("a.webm", "libopus")]
)
def test_what_soundfile_does_not_know_comes_by_pyav(tmp_path, name, codec):
    audio = read_audio(encoded(tmp_path / name, codec))
    assert audio.duration_s == pytest.approx(1.0, abs=0.03)
    assert audio.source_rate_hz == 48_000
    middle = audio.samples[4_000:12_000]
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)


def test_a_video_gives_its_sound(tmp_path):
    audio = read_audio(encoded(tmp_path / "talk.mp4", "aac", video=True))
    assert audio.duration_s == pytest.approx(1.0, abs=0.03)


def test_a_wrong_ending_does_not_matter(tmp_path):
    path = encoded(tmp_path / "a.m4a", "aac").rename(tmp_path / "a.wav")
    assert read_audio(path).source_rate_hz == 48_000


def test_a_stream_is_read_to_its_end(tmp_path, tone):
    content = wav(tmp_path / "call.wav", tone).read_bytes()
    audio = read_audio(io.BytesIO(content))
    assert (audio.recording, len(audio.samples)) == ("stdin", 32_000)


def test_a_pipe_can_stand_for_a_file(tmp_path, tone):
    content = wav(tmp_path / "call.wav", tone[:1000]).read_bytes()
    reading, writing = os.pipe()
    os.write(writing, content)
    os.close(writing)
    assert len(read_audio(f"/dev/fd/{reading}").samples) == 1000
    os.close(reading)


def test_the_same_file_gives_the_same_bytes(tmp_path, tone):
    path = wav(tmp_path / "call.flac", tone, 44_100)
    assert read_audio(path).samples.tobytes() == read_audio(path).samples.tobytes()


@pytest.mark.parametrize("name", ["a b.wav", "réunion 会议.wav", "two\nlines.wav", "-dash.wav"])
def test_any_file_name_will_do(tmp_path, tone, name):
    assert read_audio(wav(tmp_path / name, tone)).recording == name[:-4]


def test_a_truncated_wav_is_read_as_far_as_it_goes(tmp_path, tone):
    path = wav(tmp_path / "cut.wav", tone, subtype="PCM_16")
    path.write_bytes(path.read_bytes()[: 44 + 32_000])
    audio = read_audio(path)
    assert len(audio.samples) == 16_000
    assert audio.notes == ("ends at 1.0 s; its header says 2.0 s",)


def test_a_wav_that_left_its_length_open_is_whole(tmp_path, tone):
    path = wav(tmp_path / "piped.wav", tone, subtype="PCM_16")
    content = bytearray(path.read_bytes())
    content[40:44] = struct.pack("<I", 0xFFFFFFFF)
    path.write_bytes(content)
    assert (len(read_audio(path).samples), read_audio(path).notes) == (32_000, ())


@pytest.mark.parametrize("ending", ["flac", "mp3", "mkv"])
def test_a_truncated_compressed_file_is_read_as_far_as_it_goes(tmp_path, tone, ending):
    path = tmp_path / f"cut.{ending}"
    if ending == "mkv":
        encoded(path, "aac", seconds=2.0)
    else:
        wav(path, tone)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    audio = read_audio(path)
    assert 0.5 < audio.duration_s < 1.7
    assert "header says 2.0 s" in audio.notes[-1]


def test_missing_files_and_folders_are_named(tmp_path):
    assert "gone.wav: no such file" in refusal(tmp_path / "gone.wav")
    assert "a folder" in refusal(tmp_path)


def test_an_unreadable_file_is_named(tmp_path, tone):
    path = wav(tmp_path / "mine.wav", tone)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read every file")
    assert "mine.wav: may not be read" in refusal(path)


def test_an_empty_file_is_named(tmp_path):
    (tmp_path / "empty.wav").touch()
    assert "empty.wav: empty file (0 bytes)" in refusal(tmp_path / "empty.wav")
    assert "stdin: empty file" in refusal(io.BytesIO())


def test_a_header_without_samples_is_refused(tmp_path, tone):
    assert "a header but no samples" in refusal(wav(tmp_path / "head.wav", tone[:0]))


def test_half_a_header_is_refused(tmp_path, tone):
    path = wav(tmp_path / "half.wav", tone)
    path.write_bytes(path.read_bytes()[:20])
    assert "half.wav: cannot be decoded" in refusal(path)


@pytest.mark.parametrize("text", ["hello\nworld\n", "é" * 3000, "#EXTM3U\nhttp://host/a.ts\n"])
def test_text_named_wav_is_refused(tmp_path, text):
    path = tmp_path / "notes.wav"
    path.write_text(text)
    assert "notes.wav: a text file, not audio" in refusal(path)


@pytest.mark.parametrize("name", ["noise.wav", "noise.mp3", "noise.mp4"])
def test_random_bytes_are_refused_and_nothing_leaks_on_stderr(tmp_path, name, capfd):
    path = tmp_path / name
    path.write_bytes(b"\xff\xfb" * name.endswith("3") + np.random.default_rng(0).bytes(20_000))
    assert "no audio format that is known" in refusal(path)
    assert capfd.readouterr() == ("", "")


def test_damage_inside_an_mp3_leaks_nothing_on_stderr(tmp_path, tone, capfd):
    path = wav(tmp_path / "a.mp3", tone)
    content = path.read_bytes()
    path.write_bytes(content[:900] + b"\x12\x99" * 2000 + content[900:])
    assert read_audio(path).duration_s > 1.5
    assert capfd.readouterr() == ("", "")


def test_zero_channels_are_refused(tmp_path, tone):
    path = wav(tmp_path / "none.wav", tone, subtype="PCM_16")
    content = bytearray(path.read_bytes())
    content[22:24] = b"\0\0"
    path.write_bytes(content)
    assert "none.wav: cannot be decoded (Channel count is zero)" in refusal(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_numbers_are_refused_with_their_time(tmp_path, tone, value):
    tone[8_000] = value
    message = refusal(wav(tmp_path / "bad.wav", np.stack([tone, tone], axis=1), subtype="FLOAT"))
    assert "bad.wav: a sample that is not a number (NaN or infinite) at 0.500 s" in message


def test_a_video_without_sound_is_refused(tmp_path):
    path = encoded(tmp_path / "silent.mp4", None, video=True)
    assert "no audio stream in it, only video" in refusal(path)


def test_a_name_with_newlines_still_gives_one_line(tmp_path):
    assert r"two\nlines.wav" in refusal(tmp_path / "two\nlines.wav")


def test_an_absurd_rate_is_refused(tmp_path, tone):
    assert "1 Hz" in refusal(wav(tmp_path / "slow.wav", tone, 1))
    with pytest.raises(BadCall, match="sample rate 0 Hz"):
        read_audio(wav(tmp_path / "call.wav", tone), rate_hz=0)


def test_arrays_of_any_type_become_audio(tone):
    np.testing.assert_array_equal(audio_from_array(tone, 16_000).samples, tone)
    integers = audio_from_array(np.array([[0, 16_384], [0, 16_384]], np.int16), 16_000)
    assert integers.samples.tolist() == [0.0, 0.5]
    assert audio_from_array([0.25] * 160, 16_000).samples[3] == 0.25


def test_a_torch_tensor_becomes_audio(tone):
    torch = pytest.importorskip("torch")
    audio = audio_from_array(torch.from_numpy(np.stack([tone, tone])), 16_000)
    np.testing.assert_array_equal(audio.samples, tone)


@pytest.mark.parametrize("shape", [(2, 3, 4), (16_000, 2), (), (0, 5)])
def test_arrays_of_another_shape_are_refused(shape):
    with pytest.raises(BadCall, match="channel, time"):
        audio_from_array(np.zeros(shape), 16_000)


def test_an_empty_or_broken_array_is_refused():
    with pytest.raises(BadFile, match="no samples"):
        audio_from_array(np.zeros(0), 16_000)
    with pytest.raises(BadFile, match=r"at 0\.000 s"):
        audio_from_array(np.array([np.nan]), 16_000)
    with pytest.raises(BadCall, match="expected floats"):
        audio_from_array(np.array(["a"]), 16_000)
