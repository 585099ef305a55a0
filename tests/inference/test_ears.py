"""Listening through a store: the same to the bit comes of it, and nothing is heard twice."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from made_heard import Pure

from diarize.errors import BadFile
from diarize.features.store import FeatureStore
from diarize.inference import ears as ears_module
from diarize.inference.diarize import Diarizer, DiarizerSettings
from diarize.inference.ears import Ears, network_digest
from diarize.inference.hearing import hear

ROOT = Path(__file__).parents[2]
RATE_HZ = 16_000


@pytest.fixture(scope="module")
def short(talk):
    """Four seconds, for what is heard many times."""
    return talk.samples[2 * RATE_HZ : 6 * RATE_HZ]


@pytest.fixture
def store(tmp_path):
    return FeatureStore(tmp_path / "store")


@pytest.fixture
def ears(diarizer, store):
    return Ears(diarizer._segmentation, diarizer._voices, store)


@pytest.fixture
def listened(monkeypatch):
    """Which of the networks are asked."""
    asked = []

    def noting(name, function):
        def asked_for(*words):
            asked.append(name)
            return function(*words)

        return asked_for

    for name in ("segment", "hear_voices", "hear_more"):
        monkeypatch.setattr(ears_module, name, noting(name, getattr(ears_module, name)))
    return asked


def replace_by(path, content):
    """As another program would: what is mapped of the file stays."""
    path.unlink()
    path.write_bytes(content)


def assert_equal(one, other):
    """That two results hold the same, however deep, to the bit."""
    assert type(one) is type(other)
    if isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        assert one.tobytes() == other.tobytes()
    elif isinstance(one, tuple):
        assert len(one) == len(other)
        for of_one, of_other in zip(one, other, strict=True):
            assert_equal(of_one, of_other)
    elif hasattr(one, "__dataclass_fields__"):
        for field in fields(one):
            assert_equal(getattr(one, field.name), getattr(other, field.name))
    else:
        assert one == other


def test_what_is_read_is_to_the_bit_what_was_heard(ears, diarizer, short, listened):
    true = hear(short, diarizer._segmentation, diarizer._voices)
    first = ears.listen(short).heard()
    assert listened == ["segment", "hear_more"]
    again = ears.listen(short.copy()).heard()
    assert listened == ["segment", "hear_more"]
    assert_equal(first, true)
    assert_equal(again, true)


def test_windows_and_voices_too_with_their_glimpses(ears, diarizer, short, listened):
    plain = Ears(diarizer._segmentation, diarizer._voices).listen(short)
    local = plain.windows(148)
    true = plain.voices(local, local.speech[0])
    listened.clear()
    for _ in range(2):
        listening = ears.listen(short)
        assert_equal(listening.windows(148), local)
        assert_equal(listening.voices(local, local.speech[0]), true)
    assert listened == ["segment", "hear_voices"]
    assert len(true.glimpse) == 2
    assert len(true.glimpse[0]) > 0


def test_the_hidden_layer_is_heard_for_when_it_was_not_kept_and_kept_from_then_on(
    ears, short, listened
):
    assert ears.listen(short).windows(148).context is None
    assert ears.listen(short).windows(148, keep_context=True).context is not None
    assert listened == ["segment", "segment"]
    assert ears.listen(short).windows(148, keep_context=True).context is not None
    assert ears.listen(short).windows(148).context is None
    assert listened == ["segment", "segment"]


def test_other_sound_settings_or_voice_activity_are_heard_for_themselves(ears, short, listened):
    local = ears.listen(short).windows(148)
    ears.listen(short).windows(74)
    ears.listen(short * np.float32(0.5)).windows(148)
    assert listened == ["segment"] * 3
    speech = local.speech[0]
    for told in (speech, speech * 0.5, speech):
        ears.listen(short).voices(local, told)
    assert listened == ["segment"] * 3 + ["hear_voices"] * 2


def test_other_weights_or_other_code_are_heard_for_themselves(
    ears, store, diarizer, short, listened, monkeypatch
):
    ears.listen(short).windows(148)
    other = Ears(diarizer._segmentation, diarizer._voices, store)
    other.of_windows = network_digest(torch.nn.Linear(2, 2))
    other.listen(short).windows(148)
    assert listened == ["segment"] * 2
    monkeypatch.setattr(ears_module, "code_digest", lambda modules: "changed")
    ears.listen(short).windows(148)
    assert listened == ["segment"] * 3


def test_a_network_is_told_by_its_weights_and_kind():
    torch.manual_seed(0)
    one, other = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    assert network_digest(one) != network_digest(other)
    other.load_state_dict(one.state_dict())
    assert network_digest(one) == network_digest(other)

    class Wrapped:
        def __init__(self, network):
            self.network = network
            self.device = "cpu"

    assert network_digest(Wrapped(one)) == network_digest(Wrapped(other))
    assert network_digest(Wrapped(one)) != network_digest(one)
    assert network_digest(Pure()) == network_digest(Pure())


def test_what_is_broken_is_named_and_heard_anew(ears, store, short, listened):
    ears.listen(short).heard()
    true = ears.listen(short).heard()
    listened.clear()
    (path,) = [one.path for one in store.entries() if one.kind == "heard"]
    content = path.read_bytes()
    replace_by(path, content[: len(content) // 2])
    listening = ears.listen(short)
    assert_equal(listening.heard(), true)
    (note,) = listening.notes
    assert note.startswith(f"heard anew: {path}: cut short")
    assert listened == ["hear_more"]
    assert path.read_bytes() == content
    assert ears.listen(short).heard() is not None
    assert listened == ["hear_more"]


def test_a_store_that_cannot_be_written_costs_only_the_next_time(
    ears, store, short, listened, monkeypatch
):
    def full(*words, **more):
        raise BadFile("/full: cannot be written (No space left on device)")

    monkeypatch.setattr(FeatureStore, "write", full)
    listening = ears.listen(short)
    assert listening.windows(148).n_windows == 1
    assert listening.notes == (
        "not kept for the next time: /full: cannot be written (No space left on device)",
    )


def test_progress_is_told_when_nothing_is_heard(ears, short):
    told = []
    for _ in range(2):
        told.clear()
        ears.listen(short, lambda step, share: told.append((step, share))).heard()
    assert told == [("segmentation", 1.0), ("voices", 1.0)]


SETTINGS = {
    "cluster": {"attributor": "cluster"},
    "thresholds": {"attributor": "cluster", "speech_threshold": 0.6, "unit_distance": 0.6},
    "exclusive": {"attributor": "cluster", "exclusive": True, "num_speakers": 3},
    "msvae": {"attributor": "msvae"},
}


def test_a_diarizer_gives_the_same_bytes_with_a_store_whatever_is_asked(
    loaded, talk, store, listened
):
    heard = {"cluster": 2, "thresholds": 0, "exclusive": 0, "msvae": 1}  # windows serve both
    for name, asked in SETTINGS.items():
        settings = DiarizerSettings(**asked)
        plain = Diarizer(settings)(talk.samples, rate_hz=RATE_HZ).to_json()
        diarizer = Diarizer(settings, store=store.folder)
        listened.clear()
        for n_heard in (heard[name], 0):
            found = diarizer(talk.samples, rate_hz=RATE_HZ)
            assert found.to_json() == plain, name
            assert len(listened) == n_heard, name
            listened.clear()


@pytest.mark.parametrize("attributor", ["cluster", "msvae"])
@pytest.mark.parametrize("n_samples", [1, RATE_HZ])
def test_silence_of_any_length_is_kept_too(loaded, store, listened, attributor, n_samples):
    diarizer = Diarizer(DiarizerSettings(attributor=attributor), store=store)
    samples = np.zeros(n_samples, np.float32)
    for _ in range(2):
        found = diarizer(samples, rate_hz=RATE_HZ)
        assert (found.to_rttm(), found.speakers) == ("", ())
    assert len(listened) == 2


def test_a_note_says_what_was_heard_anew(loaded, talk, store):
    diarizer = Diarizer(store=str(store.folder))
    true = diarizer(talk.samples, rate_hz=RATE_HZ)
    for entry in store.entries():
        replace_by(entry.path, b"")
    found = diarizer(talk.samples, rate_hz=RATE_HZ)
    assert found.to_rttm() == true.to_rttm()
    assert len(found.notes) == len(true.notes) + 2
    assert all("cut short, at 0 bytes" in note for note in found.notes[len(true.notes) :])


def test_two_threads_share_a_store(loaded, talk, store):
    plain = Diarizer()(talk.samples, rate_hz=RATE_HZ).to_rttm()
    diarizer = Diarizer(store=store)
    with ThreadPoolExecutor(2) as threads:
        found = threads.map(lambda _: diarizer(talk.samples, rate_hz=RATE_HZ), range(2))
        assert [one.to_rttm() for one in found] == [plain, plain]
    assert all(error is None for _, error in store.check())


@pytest.mark.slow
def test_killed_at_any_moment_a_command_goes_on_to_the_same_turns(diarizer, talk, tmp_path):
    for number in range(3):
        samples = talk.samples[number * RATE_HZ :]
        soundfile.write(tmp_path / f"{number}.wav", samples, RATE_HZ, subtype="FLOAT")
    words = [sys.executable, "-m", "diarize", "infer", str(tmp_path), "-o", str(tmp_path / "out")]
    words += ["--store", str(tmp_path / "store"), "--fresh"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for n_there in (1, 3, 5):  # when so many features are there, or half there
        process = subprocess.Popen(words, env=environment, stderr=subprocess.DEVNULL)
        while process.poll() is None and len(list(tmp_path.glob("store/*/??/*"))) < n_there:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert all(error is None for _, error in FeatureStore(tmp_path / "store").check())
    assert subprocess.run(words, env=environment, check=False).returncode == 0
    for number in range(3):
        path = tmp_path / f"{number}.wav"
        found = (tmp_path / "out" / f"{number}.rttm").read_text()
        assert found == diarizer(path).to_rttm()
