"""What is heard again, what is kept, and how several at work share recordings out."""

import numpy as np
import pytest
import soundfile
from made_heard import made_heard

from diarize.errors import BadFile
from diarize.formats.manifest import Recording, write_manifest
from diarize.inference import heard_files, scene_supply
from diarize.inference.heard_files import prepare_heard
from diarize.inference.scene_supply import SceneSettings, SceneSupply, prepare_scenes

RATE_HZ = 16_000
NAMES = ("a", "b", "c", "d", "e")


def make(folder, names=NAMES, end_s=0.75):
    folder.mkdir(exist_ok=True)
    lines = [f"SPEAKER {name} 1 0.25 {end_s} <NA> <NA> ann <NA> <NA>\n" for name in names]
    (folder / "truth.rttm").write_text("".join(lines))
    for name in names:
        soundfile.write(folder / f"{name}.wav", np.full(RATE_HZ, 0.1, np.float32), RATE_HZ)
    entries = [Recording(name, folder / f"{name}.wav", folder / "truth.rttm") for name in names]
    write_manifest(folder / "manifest.jsonl", entries)


@pytest.fixture
def listened(monkeypatch):
    """One entry for each recording that is listened to; nothing truly is."""
    found = []

    def hear(samples, *_):
        found.append(samples)
        return made_heard([[(0.0, 1.0)]], 59)

    for module in (heard_files, scene_supply):
        monkeypatch.setattr(module, "load_speaker_network", lambda name: name)
    monkeypatch.delenv("DIARIZE_STORE", raising=False)
    monkeypatch.setattr(heard_files, "load_segmentation", lambda: None)
    monkeypatch.setattr(heard_files, "hear", hear)
    return found


def test_shares_are_all_of_it_and_nothing_twice(tmp_path, listened):
    make(tmp_path)
    found = [prepare_heard(tmp_path, part=(number, 2)) for number in (1, 2)]
    assert [[path.stem for path in share] for share in found] == [["a", "c", "e"], ["b", "d"]]
    assert len(listened) == len(NAMES)
    assert len(prepare_heard(tmp_path)) == len(NAMES)
    assert len(listened) == len(NAMES)


def test_a_share_of_fewer_recordings_than_there_are_shares_may_be_empty(tmp_path, listened):
    make(tmp_path, "ab")
    assert prepare_heard(tmp_path, part=(3, 3)) == []


def test_other_sound_or_another_truth_is_heard_again(tmp_path, listened):
    make(tmp_path)
    prepare_heard(tmp_path)
    listened.clear()
    soundfile.write(tmp_path / "b.wav", np.full(RATE_HZ, 0.2, np.float32), RATE_HZ)
    prepare_heard(tmp_path)
    assert len(listened) == 1
    make(tmp_path, end_s=0.5)  # all turns, and b as it was at first
    prepare_heard(tmp_path)
    assert len(listened) == 1 + len(NAMES)


def test_a_file_that_is_broken_is_made_again(tmp_path, listened):
    make(tmp_path, "a")
    (path,) = prepare_heard(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    prepare_heard(tmp_path)
    assert path.read_bytes() == whole


def test_training_takes_what_the_manifest_names_and_no_more(tmp_path, listened):
    make(tmp_path / "calm")
    settings = SceneSettings(folders=("calm",))
    prepare_scenes(tmp_path, settings, part=(1, 2))
    with pytest.raises(BadFile, match="3 of 5 recordings heard; run diarize prepare scenes first"):
        SceneSupply(tmp_path, settings)
    prepare_scenes(tmp_path, settings, part=(2, 2))
    make(tmp_path / "calm", "ab")  # fewer than before
    assert [path.stem for path in SceneSupply(tmp_path, settings).paths] == ["a", "b"]
    (tmp_path / "calm" / "manifest.jsonl").unlink()
    assert len(SceneSupply(tmp_path, settings).paths) == len(NAMES)
