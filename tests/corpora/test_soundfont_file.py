import numpy as np
import pytest

from diarize.corpora.midi_song import Event
from diarize.corpora.soundfont import read_soundfont
from diarize.corpora.soundfont_file import (
    Envelope,
    Sample,
    Zone,
    ZonedPreset,
    read_samples,
    save_soundfont,
)
from diarize.corpora.synthesizer import Performance, synthesizer
from diarize.errors import BadCall, BadFile

RATE_HZ = 44100


def tone(hz=220.5, length=44100):
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(length) / RATE_HZ)


def saved(path, *presets):
    save_soundfont(path, presets, "made", "none", "in a test")
    return path


def preset(*zones, number=33):
    return ZonedPreset(0, number, f"Preset {number}", zones)


def lists(path):
    """The rows of 16-bit generators (number, amount) in a file's list of instruments."""
    content = path.read_bytes()
    at = content.index(b"igen") + 4
    size = int.from_bytes(content[at : at + 4], "little")
    rows = np.frombuffer(content[at + 4 : at + 4 + size], "<i2").reshape(-1, 2)
    return [tuple(int(value) for value in row) for row in rows]


def heard_hz(path, key, velocity=100):
    """The strongest frequency of a note of one second, to a hertz."""
    try:
        plays = synthesizer("auto")
    except BadCall as reason:
        pytest.skip(str(reason))
    events = [Event(0.1, "on", key, velocity), Event(1.3, "off", key)]
    samples = plays.play(Performance(events, read_soundfont(path).presets[0], 1.5))
    return int(np.argmax(np.abs(np.fft.rfft(samples[8820 : 8820 + RATE_HZ]))))


def test_presets_are_read_back_in_the_order_of_their_places(tmp_path):
    zone = Zone(Sample.of(tone(), RATE_HZ, "A"), root=57)
    path = saved(tmp_path / "a.sf2", ZonedPreset(128, 8, "Kit", (zone,)), preset(zone))
    found = [(one.bank, one.number, one.name) for one in read_soundfont(path).presets]
    assert found == [(0, 33, "Preset 33"), (128, 8, "Kit")]


def test_samples_are_read_back_bit_by_bit_and_one_of_two_zones_is_kept_once(tmp_path):
    first, second = Sample.of(tone(), RATE_HZ, "first"), Sample.of(tone(99, 77), 22050, "second")
    zones = [Zone(first, 60, (0, 60)), Zone(second, 61, (61, 90)), Zone(first, 91, (91, 127))]
    one, other = read_samples(saved(tmp_path / "a.sf2", preset(*zones)))
    np.testing.assert_array_equal(one.samples, first.samples)
    np.testing.assert_array_equal(other.samples, second.samples)
    assert (one.name, other.name, other.rate_hz) == ("first", "second", 22050)


def test_what_is_louder_than_full_scale_is_cut_off_there():
    sample = Sample.of(np.array([2.0, 1.0, -3.0, 0.25]), RATE_HZ, "loud")
    assert sample.samples.tolist() == [32767, 32767, -32768, 8192]


def test_a_plain_zone_has_keys_first_and_its_sample_last_and_says_no_more_than_it_must(tmp_path):
    zone = Zone(Sample.of(tone(), RATE_HZ, "A"), root=57, envelope=Envelope(release_s=1.0))
    path = saved(tmp_path / "a.sf2", preset(zone))
    assert lists(path) == [(43, 127 << 8), (38, 0), (58, 57), (53, 0), (0, 0)]


def test_a_zone_with_all_settings_has_them_in_the_units_of_the_format(tmp_path):
    zone = Zone(
        Sample.of(tone(), RATE_HZ, "A", (100, 300)),
        root=57,
        keys=(50, 60),
        velocities=(10, 90),
        cents=-230,
        attenuation_cb=40,
        envelope=Envelope(attack_s=0.5, decay_s=4.0, sustain_cb=900, release_s=2.0),
        choke=1,
        is_fixed=True,
    )
    said = dict(lists(saved(tmp_path / "a.sf2", preset(zone))))
    assert (said[43], said[44], said[48]) == (50 | 60 << 8, 10 | 90 << 8, 40)
    assert (said[34], said[36], said[37], said[38]) == (-1200, 2400, 900, 1200)  # timecents
    assert (said[57], said[56], said[54]) == (1, 0, 1)
    assert 100 * said[51] + said[52] == -230


@pytest.mark.parametrize(("cents", "hz"), [(0, 441), (200, 495), (-1200, 220)])
def test_a_zone_sounds_at_its_root_as_recorded_and_is_tuned_by_cents(tmp_path, cents, hz):
    sample = Sample.of(tone(441, 2 * RATE_HZ), RATE_HZ, "A")
    path = saved(tmp_path / "a.sf2", preset(Zone(sample, 69, cents=cents)))
    assert heard_hz(path, 69) == pytest.approx(hz, abs=1)


def test_a_fixed_zone_sounds_the_same_at_every_key_and_a_loop_goes_on(tmp_path):
    sample = Sample.of(tone(441, 4500), RATE_HZ, "A", (100, 4500))
    path = saved(tmp_path / "a.sf2", preset(Zone(sample, 60, is_fixed=True)))
    assert heard_hz(path, 72) == pytest.approx(441, abs=1)


def test_velocities_choose_the_zone(tmp_path):
    soft, hard = (Sample.of(tone(hz, 2 * RATE_HZ), RATE_HZ, "A") for hz in (300, 500))
    zones = Zone(soft, 60, velocities=(0, 80)), Zone(hard, 60, velocities=(81, 127))
    path = saved(tmp_path / "a.sf2", preset(*zones))
    assert (heard_hz(path, 60, 80), heard_hz(path, 60, 81)) == (300, 500)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"keys": (60, 50)}, "keys = 60, 50"),
        ({"velocities": (0, 128)}, "velocities = 0, 128"),
        ({"root": 130}, "root = 130"),
    ],
)
def test_zones_that_no_key_can_play_are_named(wrong, named):
    with pytest.raises(BadCall, match=named):
        Zone(Sample.of(tone(), RATE_HZ, "A"), **({"root": 57} | wrong))


def test_samples_of_what_is_no_soundfont_are_not_read(tmp_path):
    (tmp_path / "a.sf2").write_bytes(b"RIFF of no use at all, says nothing")
    with pytest.raises(BadFile, match=r"a\.sf2: no soundfont whose samples can be read"):
        read_samples(tmp_path / "a.sf2")
