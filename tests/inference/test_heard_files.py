"""What was heard, and the truth beside it, in files; a folder of them out of a manifest."""

import shutil
from dataclasses import fields

import numpy as np
import pytest
import soundfile
from made_heard import made_heard, middles_s, talk_of
from pyannote.core import Annotation, Segment

from diarize.corpora.tensors import read_tensors, save_tensors
from diarize.errors import BadFile
from diarize.features.segmentation import HOP_S, START_S, segment
from diarize.features.store import FeatureStore
from diarize.formats.manifest import Recording, write_manifest
from diarize.inference import ears, heard_files
from diarize.inference.heard_files import (
    ARRAYS,
    prepare_heard,
    read_heard,
    save_heard,
    truth_on_frames,
)

SPANS = [[(0.5, 3.0), (5.0, 6.0)], [(2.5, 4.5)]]
N_FRAMES = 401
RATE_HZ = 16_000
RTTM = "SPEAKER {name} 1 0.5 0.75 <NA> <NA> {who} <NA> <NA>\n"


@pytest.fixture
def heard():
    return made_heard(SPANS, N_FRAMES)


@pytest.fixture
def saved(heard, tmp_path):
    path = tmp_path / "new folder" / "meeting.one.safetensors"
    save_heard(path, heard, talk_of(SPANS, N_FRAMES))
    return path


def equal(one, other):
    """Whether two results hold the same, however deep."""
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    if hasattr(one, "__dataclass_fields__"):
        names = [field.name for field in fields(one)]
        return all(equal(getattr(one, name), getattr(other, name)) for name in names)
    return one == other


def test_what_is_read_is_what_was_saved(heard, saved):
    found = read_heard(saved)
    assert found.recording == "meeting.one"
    np.testing.assert_array_equal(found.truth, talk_of(SPANS, N_FRAMES))
    for field in fields(heard):
        assert equal(getattr(found.heard, field.name), getattr(heard, field.name)), field.name
    assert found.heard.n_frames == N_FRAMES
    assert found.heard.first_around_s == heard.first_around_s


def test_windows_are_kept_in_half_precision_and_read_in_single(heard, tmp_path):
    heard.local.posterior[:] = np.random.default_rng(0).random(heard.local.posterior.shape)
    save_heard(tmp_path / "a.safetensors", heard, talk_of(SPANS, N_FRAMES))
    found = read_heard(tmp_path / "a.safetensors").heard.local.posterior
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, heard.local.posterior, rtol=1e-3, atol=1e-7)


def test_glimpses_are_left_out_for_training_does_without(saved):
    voices = read_heard(saved).heard.voices
    assert (voices.glimpse, voices.glimpse_s) == ((), ())


def test_the_same_twice_is_the_same_file(heard, saved):
    other = saved.with_name("again.safetensors")
    save_heard(other, heard, talk_of(SPANS, N_FRAMES))
    assert other.read_bytes() == saved.read_bytes()


def test_a_file_that_is_missing_or_damaged_or_of_something_else_is_refused(saved, tmp_path):
    with pytest.raises(BadFile, match=r"none.safetensors: no such file; run diarize prepare"):
        read_heard(tmp_path / "none.safetensors")
    arrays, facts = read_tensors(saved, ARRAYS)
    del arrays["around"]
    save_tensors(tmp_path / "less.safetensors", arrays, facts)
    with pytest.raises(BadFile, match=r"less.safetensors: no array 'around' in it"):
        read_heard(tmp_path / "less.safetensors")
    saved.write_bytes(saved.read_bytes()[:-1000])
    with pytest.raises(BadFile, match="not a whole file of arrays") as error:
        read_heard(saved)
    assert "\n" not in str(error.value)


def test_a_file_that_does_not_say_how_far_its_frames_are_apart_is_refused(saved, tmp_path):
    arrays, _ = read_tensors(saved, ARRAYS)
    save_tensors(tmp_path / "silent.safetensors", arrays)
    with pytest.raises(BadFile, match=r"silent.safetensors: .*voice_hop_s"):
        read_heard(tmp_path / "silent.safetensors")


def test_a_speaker_talks_in_the_frames_whose_middle_lies_in_his_turns():
    middle_s = START_S + (np.arange(6) + 0.5) * HOP_S
    reference = Annotation()
    reference[Segment(middle_s[1], middle_s[3]), 0] = "b"  # from a middle on, up to a middle
    reference[Segment(middle_s[4] - 1e-6, 100.0), 1] = "b"
    reference[Segment(0.0, middle_s[0] + 1e-6), 2] = "a"
    reference[Segment(middle_s[2] + 1e-6, middle_s[3] - 1e-6), 3] = "a"  # between two middles
    found = truth_on_frames(reference, 6)
    assert found.astype(int).tolist() == [[1, 0, 0, 0, 0, 0], [0, 1, 1, 0, 1, 1]]


def test_turns_of_one_speaker_that_overlap_are_one():
    reference = Annotation()
    reference[Segment(0.0, 0.1), 0] = "a"
    reference[Segment(0.05, 0.2), 1] = "a"
    reference[Segment(0.0, 0.2), 2] = "b"
    found = truth_on_frames(reference, 20)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], middles_s(20) < 0.2)


def test_without_turns_there_is_no_row():
    assert truth_on_frames(Annotation(), 5).shape == (0, 5)


@pytest.fixture
def folder(tmp_path):
    """Three short recordings, two of them with a truth, in one file."""
    recordings = []
    for number, name in enumerate(("one", "two", "three")):
        samples = np.full(RATE_HZ + number, 0.1, np.float32)
        soundfile.write(tmp_path / f"{name}.wav", samples, RATE_HZ)
        rttm = None if name == "three" else tmp_path / "truth.rttm"
        recordings.append(Recording(name, tmp_path / f"{name}.wav", rttm))
    lines = [RTTM.format(name=name, who=f"of {name}".replace(" ", "_")) for name in ("one", "two")]
    (tmp_path / "truth.rttm").write_text("".join(lines))
    write_manifest(tmp_path / "manifest.jsonl", recordings)
    return tmp_path


@pytest.fixture
def listened(monkeypatch):
    """How long what was listened to is, in samples; nothing is truly listened to."""
    lengths = []

    def hear(samples, segmentation, speaker):
        assert (segmentation, speaker) == ("segmentation", "campplus")
        lengths.append(len(samples))
        return made_heard([[(0.0, 1.0)]], 59)

    monkeypatch.delenv("DIARIZE_STORE", raising=False)
    monkeypatch.setattr(heard_files, "load_segmentation", lambda: "segmentation")
    monkeypatch.setattr(heard_files, "load_speaker_network", lambda name: name)
    monkeypatch.setattr(heard_files, "hear", hear)
    return lengths


def test_all_recordings_with_a_truth_are_heard_in_their_order(folder, listened):
    told = []
    paths = prepare_heard(folder, told.append)
    assert [path.name for path in paths] == ["one.safetensors", "two.safetensors"]
    assert {path.parent for path in paths} == {folder / "heard"}
    assert listened == [RATE_HZ, RATE_HZ + 1]
    assert told == [0.5, 1.0]
    found = read_heard(paths[0]).truth
    middle_s = middles_s(59)
    np.testing.assert_array_equal(found, [(middle_s >= 0.5) & (middle_s < 1.25)])


def test_files_that_are_there_are_kept(folder, listened):
    first, second = prepare_heard(folder)
    kept = first.read_bytes()
    second.unlink()
    listened.clear()
    assert prepare_heard(str(folder)) == [first, second]
    assert listened == [RATE_HZ + 1]
    assert first.read_bytes() == kept


def test_killed_while_it_writes_it_leaves_nothing_that_looks_finished(
    folder, listened, monkeypatch
):
    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(heard_files, "save_heard", fail)
    with pytest.raises(KeyboardInterrupt):
        prepare_heard(folder)
    assert not list((folder / "heard").glob("*.safetensors"))


def test_a_folder_without_a_truth_is_refused(folder, listened):
    (folder / "truth.rttm").write_text(RTTM.format(name="one", who="a"))
    with pytest.raises(BadFile, match=r"truth.rttm: no turns of two, which the manifest names"):
        prepare_heard(folder)
    write_manifest(folder / "manifest.jsonl", [Recording("three", folder / "three.wav")])
    with pytest.raises(BadFile, match=r"manifest.jsonl: no recording with an rttm; one is wanted"):
        prepare_heard(folder)
    (folder / "manifest.jsonl").unlink()
    with pytest.raises(BadFile, match=r"manifest.jsonl"):
        prepare_heard(folder)


def test_a_recording_that_is_missing_is_named(folder, listened):
    (folder / "two.wav").unlink()
    with pytest.raises(BadFile, match=r"two.wav: no such file"):
        prepare_heard(folder)
    assert (folder / "heard" / "one.safetensors").exists()


def test_a_recording_whose_sound_or_truth_is_another_now_is_heard_anew(folder, listened):
    first, second = prepare_heard(folder)
    lines = (folder / "truth.rttm").read_text().splitlines(keepends=True)
    (folder / "truth.rttm").write_text(lines[0].replace("0.75", "0.25") + lines[1])
    listened.clear()
    prepare_heard(folder)
    assert listened == [RATE_HZ]  # the other's turns are as they were
    assert read_heard(first).truth.sum() < read_heard(second).truth.sum()
    soundfile.write(folder / "two.wav", np.full(RATE_HZ, 0.2, np.float32), RATE_HZ)
    listened.clear()
    prepare_heard(folder)
    assert listened == [RATE_HZ]


def test_shares_of_the_recordings_are_all_of_them_and_each_once(folder, listened):
    shares = [prepare_heard(folder, part=(number, 3)) for number in (1, 2, 3)]
    assert [[path.stem for path in share] for share in shares] == [["one"], ["two"], []]
    assert len(listened) == 2


@pytest.fixture
def store(folder, diarizer, monkeypatch):
    """A store, which the environment names; two recordings that differ, and all that is heard."""
    for number, name in enumerate(("one", "two")):
        samples = np.random.default_rng(number).normal(0, 0.1, 2 * RATE_HZ).astype(np.float32)
        soundfile.write(folder / f"{name}.wav", samples, RATE_HZ)
    monkeypatch.setattr(heard_files, "load_segmentation", lambda: diarizer._segmentation)
    monkeypatch.setattr(heard_files, "load_speaker_network", lambda name: diarizer._voices)
    return FeatureStore(folder / "store")


def test_what_a_store_has_is_not_heard_again_and_the_files_are_the_same(
    folder, store, monkeypatch, caplog
):
    monkeypatch.delenv("DIARIZE_STORE", raising=False)
    plain = [path.read_bytes() for path in prepare_heard(folder)]
    listened = []
    monkeypatch.setattr(ears, "segment", lambda *words: listened.append(1) or segment(*words))
    monkeypatch.setenv("DIARIZE_STORE", str(store.folder))
    for n_heard in (2, 0, 1):
        listened.clear()
        shutil.rmtree(folder / "heard")
        assert [path.read_bytes() for path in prepare_heard(folder)] == plain
        assert len(listened) == n_heard
        broken = next(one.path for one in store.entries() if one.kind == "windows")
        if n_heard == 0:
            broken.write_bytes(b"cut")
    (said,) = caplog.messages
    assert f"heard anew: {broken.parent.parent}" in said


def test_another_truth_or_folder_of_the_same_sound_is_not_heard_again(
    folder, store, tmp_path, monkeypatch
):
    prepare_heard(folder, store=store)
    monkeypatch.setattr(ears, "segment", None)
    monkeypatch.setattr(ears, "hear_more", None)
    other = tmp_path / "other run"
    other.mkdir()
    for name in ("truth.rttm", "one.wav", "two.wav"):
        shutil.copy(folder / name, other)
    (other / "truth.rttm").write_text((folder / "truth.rttm").read_text().replace("0.75", "0.25"))
    entries = [
        Recording(f"{name}", other / f"{name}.wav", other / "truth.rttm") for name in ("one", "two")
    ]
    write_manifest(other / "manifest.jsonl", entries)
    found = [read_heard(path) for path in prepare_heard(other, store=store)]
    before = [read_heard(folder / "heard" / f"{one.recording}.safetensors") for one in found]
    for one, earlier in zip(found, before, strict=True):
        assert equal(one.heard, earlier.heard)
        assert one.truth.sum() < earlier.truth.sum()


def test_a_file_made_before_there_was_a_store_is_kept(folder, store, monkeypatch):
    paths = prepare_heard(folder)
    made_ns = [path.stat().st_mtime_ns for path in paths]
    monkeypatch.setattr(heard_files, "hear", None)
    prepare_heard(folder, store=store)
    assert [path.stat().st_mtime_ns for path in paths] == made_ns
    assert not store.folder.exists()
