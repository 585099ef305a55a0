import numpy as np
import pytest
import soundfile
from made_music import save_song, save_soundfont
from made_patches import note, save_patch, wave

from diarize.corpora import packed_soundfonts
from diarize.corpora.packed_soundfonts import PACKED, Packed, pack_soundfont
from diarize.corpora.rendered_fetch import fetch_rendered
from diarize.corpora.rendered_settings import PartSettings, RenderedSettings
from diarize.corpora.soundfont import read_soundfont
from diarize.corpora.soundfont_file import Sample, Zone, ZonedPreset
from diarize.errors import BadFile


@pytest.fixture(autouse=True)
def nothing_installed(tmp_path, monkeypatch):
    """No package of Debian is there but what a test puts there."""
    monkeypatch.setattr(packed_soundfonts, "SHARE", tmp_path / "share")
    monkeypatch.setattr("diarize.corpora.rendered_fetch.synthesizer", lambda name: Quiet())


class Quiet:
    name = "quiet"


def save_bass(folder):
    (folder / "wav").mkdir(parents=True)
    samples = 0.5 * np.sin(2 * np.pi * 41.2 * np.arange(44100) / 44100)
    soundfile.write(folder / "wav" / "E1.wav", samples, 44100)


def settings(tmp_path, *names):
    save_song(tmp_path / "songs" / "a.mid")
    parts = {"train": PartSettings(soundfonts=names)}
    return RenderedSettings(midi=(tmp_path / "songs",), soundfont_folders=(), parts=parts)


def test_what_debian_installed_is_packed(tmp_path):
    freepats = tmp_path / "share" / "midi" / "freepats"
    save_patch(freepats / "Tone_000" / "033_Finger_Bass.pat", note(wave(), 220, 1))
    path = pack_soundfont("freepats", tmp_path / "fonts")
    assert path == tmp_path / "fonts" / "freepats.sf2"
    places = [(one.bank, one.number) for one in read_soundfont(path).presets]
    assert places == [(0, 33), (128, 0)]
    assert b"GPL-2+ with composition exception" in path.read_bytes()


@pytest.mark.parametrize(
    "inside",
    ["", "tonejs-instrument-bass-electric", "node_modules/tonejs-instrument-bass-electric"],
)
def test_a_package_of_npm_is_found_installed_or_unpacked(tmp_path, inside):
    save_bass(tmp_path / "packages" / inside)
    path = pack_soundfont("tonejs_bass", tmp_path / "fonts", [tmp_path, tmp_path / "packages"])
    assert [one.number for one in read_soundfont(path).players("bass")] == [33, 34]


@pytest.mark.parametrize("name", [name for name, one in PACKED.items() if one.package])
def test_a_package_that_is_nowhere_is_told_with_how_to_get_it(tmp_path, name):
    how = "apt-get install .*" if PACKED[name].installed else "npm install .*"
    with pytest.raises(
        BadFile, match=f"'{name}' is packed of .*{how}{PACKED[name].package}"
    ) as told:
        pack_soundfont(name, tmp_path / "fonts", [tmp_path])
    assert "\n" not in str(told.value)
    assert not (tmp_path / "fonts").exists()


def test_what_cannot_be_packed_leaves_nothing_behind(tmp_path):
    patch = tmp_path / "share" / "midi" / "freepats" / "Tone_000" / "033_Finger_Bass.pat"
    save_patch(patch, note(wave(), 220, 1)).write_bytes(b"GF1PATCH, cut short")
    with pytest.raises(BadFile, match=r"033_Finger_Bass\.pat"):
        pack_soundfont("freepats", tmp_path / "fonts")
    assert not list((tmp_path / "fonts").glob("*"))


def test_fetching_packs_what_parts_name_once_and_says_so(tmp_path):
    save_bass(tmp_path / "packages")
    wanted, data = settings(tmp_path, "tonejs_bass+made"), tmp_path / "data"
    folders = [save_soundfont(tmp_path / "fonts" / "made.sf2").parent, tmp_path / "packages"]
    made = fetch_rendered(data, wanted, folders)
    path = data / "soundfonts" / "tonejs_bass.sf2"
    assert made.notes[1:] == (f"rendered: packed {path}",)
    assert path.is_file()
    assert not path.is_symlink()
    written = path.stat().st_mtime_ns
    assert fetch_rendered(data, wanted).notes[1:] == ()
    assert path.stat().st_mtime_ns == written


def test_a_soundfont_of_that_name_that_is_there_is_taken_as_it_is(tmp_path):
    save_bass(tmp_path)
    save_soundfont(tmp_path / "tonejs_bass.sf2")
    fetch_rendered(tmp_path / "data", settings(tmp_path, "tonejs_bass"), [tmp_path])
    assert (tmp_path / "data" / "soundfonts" / "tonejs_bass.sf2").is_symlink()


def test_a_soundfont_in_a_package_of_npm_is_linked(tmp_path):
    inside = tmp_path / "node_modules" / "@coderline" / "alphatab" / "dist" / "soundfont"
    save_soundfont(inside / "sonivox.sf2")
    fetch_rendered(tmp_path / "data", settings(tmp_path, "sonivox"), [tmp_path])
    link = tmp_path / "data" / "soundfonts" / "sonivox.sf2"
    assert link.resolve() == inside / "sonivox.sf2"


def test_what_is_computed_needs_no_package(tmp_path, monkeypatch):
    zone = Zone(Sample.of(np.ones(10), 44100, "one"), 60)
    computed = Packed("computed", "own", lambda folder: [ZonedPreset(0, 25, "one", (zone,))])
    monkeypatch.setitem(PACKED, "plucked", computed)
    path = pack_soundfont("plucked", tmp_path)
    assert [one.number for one in read_soundfont(path).players("guitar")] == [25]
