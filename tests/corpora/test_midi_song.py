import mido
import pytest
from made_music import save_song

from diarize.corpora.midi_song import Event, cut, find_midi, read_song, save_midi
from diarize.errors import BadFile


def save(path, *tracks, kind=1):
    midi = mido.MidiFile(type=kind, ticks_per_beat=100)
    midi.tracks.extend(mido.MidiTrack(track) for track in tracks)
    midi.save(path)
    return path


def note(pitch, at, length, channel=0):
    on = mido.Message("note_on", channel=channel, note=pitch, velocity=64, time=at)
    return [on, mido.Message("note_on", channel=channel, note=pitch, velocity=0, time=length)]


def test_time_follows_the_tempo_wherever_it_is_written(tmp_path):
    tempo = [mido.MetaMessage("set_tempo", tempo=1_000_000, time=100)]  # from beat 1 on
    song = read_song(save(tmp_path / "a.mid", tempo, note(60, 200, 100)))
    (player,) = song.instruments
    assert [(event.kind, event.time_s) for event in player.events] == [("on", 1.5), ("off", 2.5)]
    assert song.duration_s == 2.5


def test_a_channel_that_changes_its_program_is_two_instruments(tmp_path):
    change = mido.Message("program_change", channel=0, program=33)
    song = read_song(save(tmp_path / "a.mid", [*note(60, 0, 50), change, *note(40, 0, 50)]))
    assert [(one.program, one.source, one.n_notes) for one in song.instruments] == [
        (0, "piano", 1),
        (33, "bass", 1),
    ]


def test_a_note_held_over_a_change_of_program_ends_with_its_own_player(tmp_path):
    on, off = note(60, 0, 50)
    change = mido.Message("program_change", channel=0, program=33)
    song = read_song(save(tmp_path / "a.mid", [on, change, *note(40, 0, 10), off]))
    piano, bass = song.instruments
    assert [event.kind for event in piano.events] == ["on", "off"]
    assert [event.first for event in bass.events] == [40, 40]


def test_the_tenth_channel_is_drums_whatever_its_program(tmp_path):
    change = mido.Message("program_change", channel=9, program=48)
    song = read_song(save(tmp_path / "a.mid", [change, *note(36, 0, 10, channel=9)]))
    assert [one.source for one in song.instruments] == ["drums"]


def test_bends_and_controllers_go_to_every_player_of_their_channel_but_banks_do_not(tmp_path):
    bend = mido.Message("pitchwheel", channel=0, pitch=4096)
    volume = mido.Message("control_change", channel=0, control=7, value=50)
    bank = mido.Message("control_change", channel=0, control=0, value=8)
    song = read_song(save(tmp_path / "a.mid", [bend, volume, bank, *note(60, 0, 10)]))
    assert song.instruments[0].events[:2] == (
        Event(0.0, "bend", 4096),
        Event(0.0, "control", 7, 50),
    )
    assert len(song.instruments[0].events) == 4


def test_one_song_under_two_names_and_at_two_speeds_has_one_fingerprint(tmp_path):
    first = read_song(save_song(tmp_path / "first.mid"))
    slower = read_song(save_song(tmp_path / "slower.mid", beats=8))
    other = read_song(save_song(tmp_path / "other.mid", pitches=(60, 62, 65)))
    assert first.fingerprint == slower.fingerprint != other.fingerprint


def test_what_is_written_is_read_as_it_was(tmp_path):
    song = read_song(save_song(tmp_path / "a.mid"))
    tracks = [(one.channel, one.events) for one in song.instruments]
    save_midi(tmp_path / "b.mid", tracks, 20.0)
    again = read_song(tmp_path / "b.mid")
    assert again.duration_s == pytest.approx(song.duration_s, abs=1e-3)
    assert [one.n_notes for one in again.instruments] == [3, 3, 3, 3]
    assert mido.MidiFile(tmp_path / "b.mid").length == pytest.approx(20.0, abs=1e-3)


def test_an_excerpt_lets_go_what_sounds_at_its_end_and_keeps_controllers():
    events = [
        Event(0.0, "control", 7, 80),
        Event(0.5, "on", 60, 90),  # began before: left out, with its end
        Event(1.5, "off", 60),
        Event(2.0, "on", 62, 90),
        Event(9.0, "off", 62),
    ]
    assert list(cut(events, 1.0, 4.0)) == [
        Event(0.0, "control", 7, 80),
        Event(1.0, "on", 62, 90),
        Event(3.0, "off", 62),
    ]


@pytest.mark.parametrize(
    "content", [b"", b"MThd", b"not midi at all", b"MThd\0\0\0\6\0\1\0\1\0\x60MTrk\0\0\0\4\0\x90"]
)
def test_a_damaged_file_is_named(tmp_path, content):
    path = tmp_path / "broken.mid"
    path.write_bytes(content)
    with pytest.raises(BadFile, match=r"broken\.mid"):
        read_song(path)


def test_a_file_without_notes_or_of_type_2_is_refused(tmp_path):
    with pytest.raises(BadFile, match="without a note"):
        read_song(save(tmp_path / "a.mid", [mido.Message("program_change", program=3)]))
    with pytest.raises(BadFile, match="type 2"):
        read_song(save(tmp_path / "b.mid", note(60, 0, 10), kind=2))


def test_a_folder_without_midi_says_so(tmp_path):
    with pytest.raises(BadFile, match="no MIDI file"):
        find_midi(tmp_path)
    with pytest.raises(BadFile, match="no such folder"):
        find_midi(tmp_path / "none")
