import numpy as np
import pytest
from made_patches import note, save_patch, wave

from diarize.corpora.freepats import freepats_presets
from diarize.corpora.patches import read_patch
from diarize.errors import BadFile


def read_one(tmp_path, *args, **settings):
    (one,) = read_patch(save_patch(tmp_path / "a.pat", note(*args, **settings)))
    return one


@pytest.mark.parametrize(
    ("data", "modes"),
    [
        (np.array([-32768, 0, 16384], "<i2").tobytes(), 1),
        (np.array([0, 32768, 49152], "<u2").tobytes(), 1 | 2),
        (np.array([-128, 0, 64], "i1").tobytes(), 0),
        (np.array([0, 128, 192], "u1").tobytes(), 2),
        (np.array([64, 0, -128], "i1").tobytes(), 16),  # backwards
    ],
)
def test_samples_of_either_width_and_sign_are_read_at_full_scale(tmp_path, data, modes):
    assert read_one(tmp_path, data, modes=modes).samples.tolist() == [-1, 0, 0.5]


@pytest.mark.parametrize(("hz", "key"), [(440, 69), (261.626, 60), (880, 81)])
def test_the_root_frequency_is_a_key(tmp_path, hz, key):
    assert read_one(tmp_path, wave(), hz, 1).note == pytest.approx(key, abs=1e-3)


def test_a_loop_is_in_samples_and_a_little_is_kept_after_it(tmp_path):
    data = np.arange(100, dtype="<i2").tobytes()
    one = read_one(tmp_path, data, modes=1 | 4, loop=(20, 60))  # bytes
    assert one.loop == (10, 30)
    assert (one.samples * 32768).tolist() == list(range(38))


def test_a_loop_up_to_the_end_is_followed_by_its_beginning(tmp_path):
    data = np.arange(20, dtype="i1").tobytes()
    one = read_one(tmp_path, data, modes=4, loop=(10, 20))
    assert one.loop == (10, 20)
    assert (one.samples * 128).tolist() == [*range(20), *range(10, 18)]


def test_a_loop_there_and_back_is_unrolled(tmp_path):
    data = np.arange(20, dtype="i1").tobytes()
    one = read_one(tmp_path, data, modes=4 | 8, loop=(10, 18))
    assert one.loop == (10, 26)
    assert (one.samples * 128).tolist() == [*range(18), *range(17, 9, -1), *range(10, 18)]


def test_a_loop_of_hardly_any_samples_is_none(tmp_path):
    assert read_one(tmp_path, wave(), modes=1 | 4, loop=(20, 28)).loop is None


def test_the_envelope_is_the_time_that_the_chip_takes(tmp_path):
    rates = (1, 1 << 6, 2 << 6 | 1, 3 << 6 | 2, 63, 63)  # units of 1/512, 1/64, 1/8 and 1
    levels = (255, 200, 55, 0, 0, 0)
    envelope = read_one(tmp_path, wave(), modes=1 | 64, rates=rates, levels=levels).envelope()
    assert envelope.attack_s == pytest.approx(47.4 / 512)
    falling_s = 47.4 / 255 * (55 / 64 + 145 / 8)
    assert envelope.decay_s == pytest.approx(falling_s * 1000 / (200 / 255 * 360))
    assert envelope.sustain_cb == int(200 / 255 * 360)
    assert envelope.release_s == 1.2  # at most


def test_without_an_envelope_a_note_stays_as_loud_as_it_is(tmp_path):
    assert read_one(tmp_path, wave(), modes=1).envelope().sustain_cb == 0


@pytest.mark.parametrize("cut", [100, 260, 400])
def test_a_patch_that_is_cut_short_is_named(tmp_path, cut):
    path = save_patch(tmp_path / "a.pat", note(wave(), modes=1))
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(BadFile, match=r"a\.pat"):
        read_patch(path)


def test_what_is_no_patch_is_named(tmp_path):
    (tmp_path / "a.pat").write_bytes(b"something else")
    with pytest.raises(BadFile, match="does not begin with GF1PATCH"):
        read_patch(tmp_path / "a.pat")


@pytest.fixture
def freepats(tmp_path):
    low, high = note(wave(), 220, 1), note(wave(full=4000), 450, 1)  # A3; A4 and 39 cents
    save_patch(tmp_path / "Tone_000" / "033_Finger_Bass.pat", high, low)
    save_patch(tmp_path / "Tone_000" / "048_Strings.pat", low)
    save_patch(tmp_path / "Tone_000" / "068_Oboe.pat", low)
    for key, name in ((38, "Snare_1"), (42, "Hi-Hat_Closed"), (56, "Cow_Bell")):
        save_patch(tmp_path / "Drum_000" / f"{key:03d}_{name}.pat", note(wave(full=100), 300, 1))
    return tmp_path


def test_patches_are_presets_by_their_numbers_without_those_that_the_test_has(freepats):
    found = [(one.bank, one.number, one.name) for one in freepats_presets(freepats)]
    assert found == [
        (0, 33, "Finger Bass"),
        (0, 48, "Strings"),
        (128, 0, "Freepats Standard"),
    ]


def test_each_note_plays_the_keys_nearest_to_it_and_is_tuned_to_its_own(freepats):
    bass, strings, _ = freepats_presets(freepats)
    low, high = bass.zones
    assert (low.keys, low.root, low.cents) == ((0, 63), 57, 0)
    assert (high.keys, high.root, high.cents) == ((64, 127), 69, -39)
    assert [np.abs(zone.sample.sound).max() for zone in bass.zones] == pytest.approx(
        [0.9, 0.45], abs=1e-4
    )
    assert [zone.keys for zone in strings.zones] == [(0, 127)]


def test_a_plucked_string_fades_and_a_bowed_one_is_held(freepats):
    bass, strings, _ = freepats_presets(freepats)
    assert bass.zones[0].envelope.sustain_cb == 900
    assert strings.zones[0].envelope.sustain_cb == 0


def test_drums_sound_as_recorded_at_their_own_keys_equally_loud(freepats):
    *_, kit = freepats_presets(freepats)
    assert [zone.keys for zone in kit.zones] == [(38, 38), (42, 42), (56, 56)]
    assert [zone.choke for zone in kit.zones] == [0, 1, 0]
    assert all(zone.is_fixed for zone in kit.zones)
    for zone in kit.zones:
        assert np.abs(zone.sample.sound).max() == pytest.approx(0.9, abs=1e-4)
