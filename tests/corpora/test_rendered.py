import json
import shutil

import numpy as np
import pytest
import soundfile
import yaml
from made_music import save_song, save_soundfont

from diarize.corpora import rendered
from diarize.corpora.midi_song import Event, read_song
from diarize.corpora.rendered import plan_tracks, prepare_rendered
from diarize.corpora.rendered_fetch import fetch_rendered
from diarize.corpora.rendered_settings import PartSettings, RenderedSettings, Variation
from diarize.corpora.slakh import slakh_songs
from diarize.corpora.soundfont import pooled, read_soundfont
from diarize.corpora.synthesizer import Performance, synthesizer
from diarize.corpora.take import plan_take, sources_of
from diarize.errors import BadCall, BadFile

ALL_TRAIN = {"validation_share": 0.0, "test_share": 0.0, "min_s": 1.0}


class Tones:
    """A synthesizer that plays a tone for each note, an octave lower the lower the preset."""

    name = "tones"

    def play(self, performance):
        samples = np.zeros(round(performance.duration_s * 44100), np.float32)
        started = {}
        for event in performance.events:
            if event.kind == "on":
                started[event.first] = event
            elif event.kind == "off" and event.first in started:
                on = started.pop(event.first)
                start, end = (round(one.time_s * 44100) for one in (on, event))
                time_s = np.arange(end - start) / 44100
                hz = 110 * 2 ** ((on.first - 60) / 12) + performance.preset.number
                samples[start:end] += on.second / 127 * np.sin(2 * np.pi * hz * time_s)
        return samples


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with two songs and two soundfonts, and a synthesizer that needs none."""
    monkeypatch.setattr(rendered, "synthesizer", lambda name: Tones())
    for number in range(2):
        save_song(tmp_path / "midi" / f"song{number}.mid", (60, 62 + number))
    for name in ("seen", "unseen"):
        save_soundfont(tmp_path / "soundfonts" / f"{name}.sf2")
    return tmp_path


def settings(**more):
    parts = {"train": PartSettings("train", ("seen",), takes=2, varied=True)}
    return RenderedSettings(**({"parts": parts, "soundfont_folders": ()} | ALL_TRAIN | more))


def test_the_mix_is_the_sum_of_the_stems_to_the_last_bit(place):
    prepare_rendered(place, settings())
    tracks = sorted((place / "train").iterdir())
    assert len(tracks) == 4
    for track in tracks:
        stems = [soundfile.read(path, dtype="int16")[0] for path in (track / "stems").iterdir()]
        mix, rate_hz = soundfile.read(track / "mix.flac", dtype="int16")
        assert rate_hz == 22050
        assert len(stems) == 4
        np.testing.assert_array_equal(np.sum(stems, axis=0, dtype=np.int32), mix)


def test_the_mix_peaks_where_it_should(place):
    prepare_rendered(place, settings(peak_dbfs=-6.0))
    mix, _ = soundfile.read(place / "train" / "Track00001" / "mix.flac")
    assert 20 * np.log10(np.abs(mix).max()) == pytest.approx(-6.0, abs=0.01)


def test_a_track_reads_as_one_of_slakh(place):
    prepare_rendered(place, settings())
    songs = slakh_songs(place, "train")
    assert [song.name for song in songs] == [f"Track{number:05d}" for number in range(1, 5)]
    for song in songs:
        assert {source: len(files) for source, files in song.files.items()} == dict.fromkeys(
            ("bass", "drums", "guitar", "piano"), 1
        )
    by_class = slakh_songs(place, "train", by="inst_class")
    assert by_class == songs


def test_the_metadata_say_what_played(place):
    prepare_rendered(place, settings())
    facts = yaml.safe_load((place / "train" / "Track00001" / "metadata.yaml").read_text())
    drums = facts["stems"]["S01"]
    assert (drums["inst_class"], drums["is_drum"], drums["program_num"]) == ("Drums", True, 128)
    assert drums["plugin_name"] == "seen:128:0"
    assert facts["rendered"]["soundfont"] == "seen"


def test_several_at_work_make_what_one_alone_makes(place, tmp_path):
    other = tmp_path / "other"
    for name in ("midi", "soundfonts"):
        shutil.copytree(place / name, other / name)
    prepare_rendered(place, settings())
    for part in ((2, 3), (1, 3), (3, 3)):
        summary = prepare_rendered(other, settings(), part)
    assert summary.is_file()
    for path in sorted((place / "train").rglob("*.*")):
        assert path.read_bytes() == (other / path.relative_to(place)).read_bytes(), path


def test_only_the_last_share_writes_the_summary(place):
    assert not prepare_rendered(place, settings(), (1, 2)).exists()
    assert prepare_rendered(place, settings(), (2, 2)).exists()


def test_what_is_there_is_kept_and_what_other_settings_made_is_made_again(place):
    prepare_rendered(place, settings())
    mix = place / "train" / "Track00001" / "mix.flac"
    before = mix.stat().st_mtime_ns
    prepare_rendered(place, settings())
    assert mix.stat().st_mtime_ns == before
    prepare_rendered(place, settings(peak_dbfs=-3.0))
    assert mix.stat().st_mtime_ns != before


def test_a_track_of_other_settings_that_would_stay_is_named(place):
    prepare_rendered(place, settings())
    fewer = {"train": PartSettings("train", ("seen",), varied=True)}
    with pytest.raises(BadFile, match=r"Track00003: not of these settings"):
        prepare_rendered(place, settings(parts=fewer))


def test_takes_differ_and_other_seeds_give_others(place):
    song = read_song(place / "midi" / "song0.mid")
    font = read_soundfont(place / "soundfonts" / "seen.sf2")
    part = PartSettings("train", ("seen",), takes=2, varied=True)
    first, second = (plan_take(song, font, number, part, settings()) for number in (0, 1))
    other = plan_take(song, font, 0, part, settings(seed=1))
    assert len({one.duration_s for one in (first, second, other)}) == 3
    assert plan_take(song, font, 0, part, settings()) == first


def test_a_pool_of_soundfonts_plays_each_part_by_one_that_can(place):
    fonts = place / "soundfonts"
    save_soundfont(fonts / "kits.sf2", ((128, 0),))
    save_soundfont(fonts / "strings.sf2", ((0, 33), (0, 27)))
    song = read_song(place / "midi" / "song0.mid")
    pool = pooled([read_soundfont(fonts / f"{name}.sf2") for name in ("kits", "strings")])
    take = plan_take(song, pool, 0, PartSettings("train", ("kits+strings",)), settings())
    played = {one.source: one.performance.preset.path.stem for one in take.players}
    assert played == {"bass": "strings", "drums": "kits", "guitar": "strings"}  # no piano in them


def test_a_damaged_soundfont_of_a_pool_is_named_and_the_others_play(place):
    save_soundfont(place / "soundfonts" / "kits.sf2", ((128, 0),))
    (place / "soundfonts" / "broken.sf2").write_bytes(b"RIFF")
    parts = {"train": PartSettings("train", ("kits+broken",))}
    plan = plan_tracks(place, settings(parts=parts))
    assert {track.soundfont.name for track in plan.tracks} == {"kits"}
    assert "broken.sf2" in plan.skipped_soundfonts["broken"]
    with pytest.raises(BadFile, match=r"no soundfont that can be used: .*broken\.sf2"):
        plan_tracks(place, settings(parts={"train": PartSettings("train", ("broken",))}))


def test_a_pool_is_named_in_conf_summary_and_metadata(place):
    for name, presets in (("kits", ((128, 0),)), ("strings", ((0, 33), (0, 27), (0, 0)))):
        save_soundfont(place / "soundfonts" / f"{name}.sf2", presets)
    parts = {"train": PartSettings("train", ("seen", "kits+strings"), takes=2)}
    summary = json.loads(prepare_rendered(place, settings(parts=parts)).read_text())
    assert summary["parts"]["train"]["soundfonts"] == ["kits+strings", "seen"]
    facts = yaml.safe_load((place / "train" / "Track00003" / "metadata.yaml").read_text())
    assert facts["rendered"]["soundfont"] == "kits+strings"
    assert {one["plugin_name"].split(":")[0] for one in facts["stems"].values()} == {
        "kits",
        "strings",
    }


def test_drums_keep_their_keys_when_a_song_is_transposed(place):
    song = read_song(place / "midi" / "song0.mid")
    font = read_soundfont(place / "soundfonts" / "seen.sf2")
    part = PartSettings("train", ("seen",), varied=True)
    higher = settings(variation=Variation(0.0, 0.0, 12, 0.0, 0.0, 0.0))
    shifts = set()
    for number in range(8):
        take = plan_take(song, font, number, part, higher)
        keys = {
            one.source: [event.first for event in one.performance.events if event.kind == "on"]
            for one in take.players
        }
        assert keys["drums"] == [60, 62]
        assert keys["bass"] == keys["piano"] == [60 + take.semitones, 62 + take.semitones]
        shifts.add(take.semitones)
    assert len(shifts) > 2


def test_a_take_that_is_not_varied_is_played_as_written(place):
    song = read_song(place / "midi" / "song0.mid")
    font = read_soundfont(place / "soundfonts" / "seen.sf2")
    take = plan_take(song, font, 0, PartSettings("train", ("seen",)), settings())
    assert (take.tempo, take.semitones) == (1.0, 0)
    assert [one.performance.events for one in take.players] == [
        song.instruments[place].events for place in (0, 3, 1, 2)
    ]


def test_an_excerpt_is_as_long_as_it_should_be_whatever_the_tempo(place):
    song = read_song(place / "midi" / "song0.mid")  # of 4 s
    font = read_soundfont(place / "soundfonts" / "seen.sf2")
    part = PartSettings("train", ("seen",), varied=True, excerpt_s=1.5)
    for number in range(5):
        assert plan_take(song, font, number, part, settings()).duration_s == pytest.approx(3.5)


def test_others_play_what_a_song_lacks_and_are_left_out_where_it_lacks_nothing(tmp_path):
    song = read_song(save_song(tmp_path / "a.mid", players=("bass", "drums", 48, 73)))
    assert sources_of(song, "leave") == {0: "bass", 3: "drums"}
    assert sources_of(song, "fill") == {0: "bass", 1: "guitar", 2: "piano", 3: "drums"}
    whole = read_song(save_song(tmp_path / "b.mid", players=("guitar", "drums", "piano", 48)))
    assert 48 not in [whole.instruments[place].program for place in sources_of(whole, "fill")]


def test_a_song_stays_in_its_split_when_others_are_added(place):
    shares = {"validation_share": 0.3, "test_share": 0.3}
    parts = {name: PartSettings(name, ("seen",)) for name in ("train", "validation", "test")}
    for number in range(3, 30):
        save_song(place / "midi" / f"song{number}.mid", (60, 62 + number))
    few = {
        track.song.name: track.part
        for track in plan_tracks(place, settings(parts=parts, **shares)).tracks
    }
    for number in range(30, 60):
        save_song(place / "midi" / f"more{number}.mid", (50, 12 + number))
    many = {
        track.song.name: track.part
        for track in plan_tracks(place, settings(parts=parts, **shares)).tracks
    }
    assert len(set(few.values())) == 3
    assert {name: many[name] for name in few} == few


def test_the_same_song_under_two_names_is_used_once_and_that_is_said(place):
    save_song(place / "midi" / "song0_again.mid", (60, 62), beats=2)
    plan = plan_tracks(place, settings())
    assert {track.song.name for track in plan.tracks} == {"song0", "song1"}
    (reason,) = plan.skipped_songs.values()
    assert reason == "the same notes as song0.mid"


def test_a_damaged_song_is_named_skipped_and_counted(place):
    (place / "midi" / "broken.mid").write_bytes(b"MThd of no use")
    summary = json.loads(prepare_rendered(place, settings()).read_text())
    assert list(summary["skipped_songs"]) == ["broken.mid"]
    assert summary["parts"]["train"]["tracks"] == 4


def test_a_damaged_soundfont_is_named_and_the_others_play(place):
    (place / "soundfonts" / "broken.sf2").write_bytes(b"RIFF of no use")
    parts = {"train": PartSettings("train", ("broken", "seen"), takes=2)}
    summary = json.loads(prepare_rendered(place, settings(parts=parts)).read_text())
    assert "broken.sf2: no soundfont" in summary["skipped_soundfonts"]["broken"]
    assert summary["parts"]["train"]["soundfonts"] == ["seen"]


def test_a_part_without_a_sound_soundfont_is_an_error(place):
    (place / "soundfonts" / "broken.sf2").write_bytes(b"RIFF of no use")
    with pytest.raises(BadFile, match=r"data\.parts\.train.*broken\.sf2"):
        prepare_rendered(place, settings(parts={"train": PartSettings("train", ("broken",))}))


def test_a_soundfont_that_is_not_there_is_an_error_that_names_those_that_are(place):
    with pytest.raises(BadFile, match=r"'none': not in .*there: seen, unseen"):
        prepare_rendered(place, settings(parts={"train": PartSettings("train", ("none",))}))


def test_the_summary_says_which_soundfonts_training_never_hears(place):
    parts = {
        "train": PartSettings("train", ("seen",)),
        "again": PartSettings("train", ("seen",)),
        "new": PartSettings("train", ("unseen",)),
    }
    said = json.loads(prepare_rendered(place, settings(parts=parts)).read_text())["parts"]
    assert {name: part["soundfonts_unseen"] for name, part in said.items()} == {
        "train": False,
        "again": False,
        "new": False,  # songs to train on are played by it too
    }


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"rate_hz": 16000}, "rate_hz = 16000"),
        ({"test_share": 1.0}, "test_share = 1.0"),
        ({"min_sources": 5}, "min_sources = 5"),
        ({"parts": {}}, "parts: none"),
        ({"parts": {"../x": PartSettings()}}, "plain name"),
        ({"peak_dbfs": 1.0}, "peak_dbfs = 1.0"),
        ({"min_s": 20.0, "max_s": 10.0}, "min_s = 20.0"),
    ],
)
def test_settings_that_cannot_be_meant_are_named(wrong, named):
    with pytest.raises(BadCall, match=named):
        settings(**wrong)


@pytest.mark.parametrize("name", ["fluidsynth", "tinysoundfont"])
def test_a_synthesizer_plays_the_pitch_that_is_written_twice_the_same(tmp_path, name):
    try:
        plays = synthesizer(name)
    except BadCall as reason:
        pytest.skip(str(reason))
    font = read_soundfont(save_soundfont(tmp_path / "made.sf2"))
    events = [Event(0.2, "on", 57, 100), Event(1.2, "off", 57)]
    performance = Performance(events, font.plain(0)[0], 1.5)
    samples, again = (plays.play(performance) for _ in range(2))
    np.testing.assert_array_equal(samples, again)
    assert len(samples) == 1.5 * 44100
    assert np.abs(samples[: round(0.19 * 44100)]).max() < 1e-4
    heard = np.abs(np.fft.rfft(samples[round(0.3 * 44100) : round(1.1 * 44100)]))
    assert np.argmax(heard) / 0.8 == pytest.approx(220.5, abs=2)  # an octave below A4


def test_no_synthesizer_says_how_to_get_one(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BadCall, match="apt-get install fluidsynth"):
        synthesizer("fluidsynth")


def test_fetching_copies_songs_and_links_soundfonts_once(tmp_path, monkeypatch):
    monkeypatch.setattr("diarize.corpora.rendered_fetch.synthesizer", lambda name: Tones())
    for folder in ("one", "two"):
        save_song(tmp_path / folder / "a.mid")
    save_soundfont(tmp_path / "fonts" / "seen.sf2")
    wanted = settings(midi=(tmp_path / "one", tmp_path / "two"))
    made = fetch_rendered(tmp_path / "data", wanted, [tmp_path / "fonts"])
    assert (made.n_songs, made.is_new) == (2, True)
    assert sorted(path.name for path in made.folder.iterdir()) == ["one_a.mid", "two_a.mid"]
    assert (tmp_path / "data" / "soundfonts" / "seen.sf2").is_symlink()
    assert not fetch_rendered(tmp_path / "data", wanted).is_new


def test_fetching_without_soundfonts_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("diarize.corpora.rendered_fetch.synthesizer", lambda name: Tones())
    with pytest.raises(BadFile, match=r"'seen' is nowhere.*apt-get install .*fluid-soundfont-gm"):
        fetch_rendered(tmp_path, settings())


def test_a_soundfont_of_no_debian_package_is_told_with_where_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr("diarize.corpora.rendered_fetch.synthesizer", lambda name: Tones())
    wanted = RenderedSettings(
        soundfont_folders=(tmp_path,), parts={"train": PartSettings(soundfonts=("sonivox",))}
    )
    with pytest.raises(BadFile, match=r"'sonivox' is nowhere.*@coderline/alphatab"):
        fetch_rendered(tmp_path, wanted)
