"""`diarize infer`: recordings in, turns on standard output or in a folder, all else in a line."""

import csv
import io
import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from diarize.cli import main
from diarize.formats.rttm import read_rttm

ROOT = Path(__file__).parents[2]
RATE_HZ = 16_000


@pytest.fixture
def place(tmp_path, monkeypatch, talk):
    """A folder with a conversation, to be in."""
    monkeypatch.chdir(tmp_path)
    soundfile.write("talk.wav", talk.samples, RATE_HZ)
    return tmp_path


@pytest.fixture
def infer(place, loaded, capsys):
    """A function: run the verb; its exit code, standard output, and lines of standard error."""

    def run(*words):
        code = main(["infer", *map(str, words)])
        out, err = capsys.readouterr()
        return code, out, err.splitlines()

    return run


def command(*words, **options):
    """The command as a process of its own, which Ctrl-C reaches even if it does not reach us."""
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN  # as in a job in the background
    if ignored:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen([sys.executable, "-m", "diarize", *words], env=environment, **pipes)
    finally:
        if ignored:
            signal.signal(signal.SIGINT, signal.SIG_IGN)


def test_standard_output_holds_the_turns_and_standard_error_nothing(infer):
    code, out, err = infer("talk.wav")
    assert (code, err) == (0, [])
    Path("out.rttm").write_text(out)
    assert read_rttm("out.rttm")["talk"].labels() == ["SPEAKER_00", "SPEAKER_01"]


def test_the_same_file_twice_gives_the_same_bytes(infer):
    assert infer("talk.wav", "--format", "json") == infer("talk.wav", "--format", "json")


def test_each_format_tells_of_the_same_turns(infer):
    turns = len(infer("talk.wav")[1].splitlines())
    assert len(json.loads(infer("talk.wav", "--format", "json")[1])["turns"]) == turns
    table = list(csv.DictReader(io.StringIO(infer("talk.wav", "--format", "csv")[1])))
    assert len(table) == turns
    assert {row["recording"] for row in table} == {"talk"}


def test_a_number_of_speakers_is_kept_to(infer):
    for words in (["--num-speakers", "3"], ["--min-speakers", "3"]):
        _, out, _ = infer("talk.wav", "--format", "json", *words)
        assert len(json.loads(out)["speakers"]) == 3
    _, out, _ = infer("talk.wav", "--format", "json", "--max-speakers", "1")
    assert len(json.loads(out)["speakers"]) == 1


def test_exclusive_speakers_do_not_overlap(infer):
    Path("out.rttm").write_text(infer("talk.wav", "--exclusive")[1])
    assert not read_rttm("out.rttm")["talk"].get_overlap()


@pytest.mark.filterwarnings("ignore:.torch.jit.load. is deprecated:DeprecationWarning")
@pytest.mark.parametrize("vad", ["webrtc", "silero", "segmentation"])
def test_each_detector_can_be_asked_for(infer, vad):
    code, out, _ = infer("talk.wav", "--vad", vad, "--format", "json")
    assert code == 0
    assert json.loads(out)["made_with"]["vad"] == vad


def test_a_conf_file_sets_and_the_call_overrules(infer):
    Path("base.toml").write_text("[infer]\nmax_speakers = 1\n")
    Path("own.toml").write_text('extends = "base.toml"\n[infer]\nexclusive = true\n')
    out = infer("talk.wav", "--conf", "own.toml")[1]
    assert "SPEAKER_00" in out
    assert "SPEAKER_01" not in out
    assert "SPEAKER_01" in infer("talk.wav", "--conf", "own.toml", "--max-speakers", "2")[1]


def test_ecapa_takes_its_weights_from_a_path_in_the_conf_file(place, capsys):
    lobes = pytest.importorskip("speechbrain.lobes.models.ECAPA_TDNN")
    torch.manual_seed(0)
    network = lobes.ECAPA_TDNN(
        80,
        channels=[1024, 1024, 1024, 1024, 3072],
        kernel_sizes=[5, 3, 3, 3, 1],
        dilations=[1, 2, 3, 4, 1],
        attention_channels=128,
        lin_neurons=192,
    )
    torch.save(network.state_dict(), "ecapa.ckpt")
    Path("own.toml").write_text('[infer]\nembedder = "ecapa"\nembedder_weights = "ecapa.ckpt"\n')
    soundfile.write("short.wav", soundfile.read("talk.wav")[0][: 4 * RATE_HZ], RATE_HZ)
    assert main(["infer", "short.wav", "--conf", "own.toml", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["made_with"]["embedder"] == "ecapa"


def test_ecapa_without_weights_says_where_to_put_them(infer, monkeypatch, place):
    pytest.importorskip("speechbrain")
    monkeypatch.undo()  # the real networks
    monkeypatch.chdir(place)
    monkeypatch.setenv("HF_HUB_CACHE", "nowhere")
    monkeypatch.setenv("DIARIZE_WEIGHTS", "nowhere")
    code, out, err = infer("talk.wav", "--embedder", "ecapa")
    assert (code, out, len(err)) == (1, "", 1)
    assert "no weights of ecapa" in err[0]
    assert "embedder_weights in the [infer] table" in err[0]


def test_only_the_regions_of_a_uem_are_spoken_of(infer):
    Path("a.uem").write_text("talk 1 2 3\n")
    code, out, _ = infer("talk.wav", "--uem", "a.uem")
    assert (code, out) == (0, "SPEAKER talk 1 2.000 1.000 <NA> <NA> SPEAKER_00 <NA> <NA>\n")


def test_what_was_done_to_the_sound_is_said_on_standard_error(infer, talk):
    sound = np.repeat(talk.samples[:, None], 8, axis=1)
    soundfile.write("eight.flac", sound, 48_000)
    code, _, err = infer("eight.flac")
    assert code == 0
    assert err == [
        "diarize infer: eight: 8 channels averaged to one",
        "diarize infer: eight: 48000 Hz resampled to 16000 Hz",
    ]


def test_silence_is_an_empty_result_and_said_to_be(infer):
    soundfile.write("still.wav", np.zeros(16), RATE_HZ)
    assert infer("still.wav") == (0, "", ["diarize infer: still: nobody is heard to speak"])


@pytest.mark.parametrize(
    "name", ["my talk", "zoë 日本", "two\nlines", "tab\there", ";semi", "-dash"]
)
def test_a_strange_name_is_one_word_in_the_result(infer, name):
    Path("talk.wav").rename(f"{name}.wav")
    code, out, err = infer(f"./{name}.wav", "-o", "out", "--format", "rttm,json")
    assert (code, out, err) == (0, "", ["diarize infer: 1 done, 0 already there, 0 failed"])
    (rttm,) = Path("out").glob("*.rttm")
    assert list(read_rttm(rttm)) == [rttm.stem]
    assert len(rttm.stem.split()) == 1


def made(name):
    """A bad file of that name; None when it is not to be there."""
    whole = Path("talk.wav").read_bytes()
    return {
        "gone.wav": None,
        "empty.wav": b"",
        "header.wav": whole[:44],
        "half_header.wav": whole[:20],
        "text.wav": b"hello, I am text\n" * 20,
        "noise.wav": bytes(range(128, 256)) * 40,
        "no_channels.wav": whole[:22] + b"\0\0" + whole[24:],
        "no_rate.wav": whole[:24] + b"\0\0\0\0" + whole[28:],
        "two\nlines.wav": None,
    }[name]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("gone.wav", "no such file; expected audio"),
        ("empty.wav", "empty file (0 bytes); expected audio"),
        ("header.wav", "a header but no samples; expected"),
        ("half_header.wav", "cannot be decoded"),
        ("text.wav", "a text file, not audio; expected"),
        ("noise.wav", "no audio format that is known here"),
        ("no_channels.wav", "cannot be decoded (Channel count is zero)"),
        ("no_rate.wav", "cannot be decoded"),
        ("two\nlines.wav", "no such file"),
    ],
)
def test_a_bad_file_is_one_line_and_exit_code_1(infer, name, found):
    content = made(name)
    if content is not None:
        Path(name).write_bytes(content)
    code, out, err = infer(name)
    assert (code, out, len(err)) == (1, "", 1)
    label = repr(name) if "\n" in name else name
    assert err[0].startswith(f"diarize infer: {label}: {found}")


def test_samples_that_are_no_numbers_are_refused_with_their_time(infer):
    sound = np.zeros(RATE_HZ, np.float32)
    sound[4000] = np.nan
    soundfile.write("nan.wav", sound, RATE_HZ, subtype="FLOAT")
    code, out, err = infer("nan.wav")
    assert (code, out, len(err)) == (1, "", 1)
    assert "a sample that is not a number (NaN or infinite) at 0.250 s" in err[0]


def test_a_cut_off_file_is_heard_as_far_as_it_goes(infer):
    whole = Path("talk.wav").read_bytes()
    Path("cut.wav").write_bytes(whole[: len(whole) // 2])
    code, out, err = infer("cut.wav")
    assert code == 0
    assert out.startswith("SPEAKER cut ")
    assert err == ["diarize infer: cut: ends at 6.0 s; its header says 12.0 s"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["talk.wav", "--num-speakers", "0"], "it must be at least 1"),
        (["talk.wav", "--min-speakers", "3", "--max-speakers", "2"], "is more than"),
        (["talk.wav", "--format", "xml"], "no format 'xml'; there are rttm, json, csv"),
        (["talk.wav", "--format", "rttm,json"], "name a folder with -o DIR"),
        (["talk.wav", "other.wav"], "standard output takes one recording in one format"),
        (["talk.wav", "a/talk.wav", "-o", "out"], "would both be called 'talk'"),
        (["talk.wav", "--threads", "0", "-o", "out"], "--threads is 0; it must be at least 1"),
        (["talk.wav", "--seed", "-1"], "--seed is -1; it must be from 0"),
        (["talk.wav", "--device", "nonsense"], "--device is 'nonsense'; it must be cpu, cuda"),
        (["talk.wav", "--device", "meta"], "--device is 'meta'; it must be cpu, cuda"),
        (["talk.wav", "--device", "cpu:1"], "this machine has 1 such device "),
    ],
)
def test_a_bad_call_is_one_line_and_exit_code_2_and_makes_nothing(infer, words, found):
    code, out, err = infer(*words)
    assert (code, out, len(err)) == (2, "", 1)
    assert found in err[0]
    assert not Path("out").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is an accelerator here")
def test_an_accelerator_that_is_not_there_is_a_bad_call(infer):
    code, out, err = infer("talk.wav", "--device", "cuda")
    assert (code, out, len(err)) == (2, "", 1)
    assert "--device is 'cuda', but this machine has 0 such devices" in err[0]


def test_what_the_parser_refuses_is_one_line_too(infer, capsys):
    with pytest.raises(SystemExit) as left:
        main(["infer", "talk.wav", "--vad", "magic"])
    assert left.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("option", "name", "text", "found"),
    [
        ("--conf", "c.toml", "[infer]\nvadd = 1\n", "no setting 'vadd'; did you mean 'vad'?"),
        ("--conf", "c.toml", '[infer]\nvad = "magic"\n', "no voice activity detector 'magic'"),
        ("--conf", "c.toml", "[infer]\nmin_speakers = 0\n", "it must be at least 1"),
        ("--conf", "c.toml", '[infer]\nembedder_weights = "no.pt"\n', "no.pt: no such file"),
        ("--conf", "c.toml", None, "c.toml: no such conf file"),
        ("--uem", "a.uem", "other 1 0 9\n", "no region for recording 'talk'; it has other"),
        ("--uem", "a.uem", "talk 1 20 30\n", "begin at 20.0 s, but it ends at 12.0 s"),
        ("--uem", "a.uem", "talk 1 3\n", "a.uem, line 1: found 3 fields"),
        ("--uem", "a.uem", None, "a.uem: cannot be read"),
    ],
)
def test_a_bad_conf_or_uem_is_one_line_and_exit_code_1(
    infer, monkeypatch, place, option, name, text, found
):
    if "_weights" in (text or ""):
        monkeypatch.undo()
        monkeypatch.chdir(place)
    if text is not None:
        Path(name).write_text(text)
    code, out, err = infer("talk.wav", option, name)
    assert (code, out, len(err)) == (1, "", 1)
    assert found in err[0]


def test_many_recordings_fill_a_folder_and_the_bad_one_sets_the_exit_code(infer):
    soundfile.write("still.flac", np.zeros(800), RATE_HZ)
    Path("bad.wav").touch()
    code, out, err = infer(".", "-o", "out")
    assert (code, out) == (1, "")
    assert sorted(path.name for path in Path("out").iterdir()) == ["still.rttm", "talk.rttm"]
    assert Path("out/still.rttm").read_text() == ""
    assert err[0].startswith("diarize infer: bad.wav: empty file")
    assert err[-1] == "diarize infer: 2 done, 0 already there, 1 failed"


def test_finished_recordings_are_not_done_again_unless_asked(infer):
    infer("talk.wav", "-o", "out")
    before = Path("out/talk.rttm").stat().st_mtime_ns
    told = "diarize infer: 0 done, 1 already there (--fresh does them again), 0 failed"
    assert infer("talk.wav", "-o", "out") == (0, "", [told])
    assert Path("out/talk.rttm").stat().st_mtime_ns == before
    infer("talk.wav", "-o", "out", "--fresh")
    assert Path("out/talk.rttm").stat().st_mtime_ns > before


def test_a_folder_that_cannot_be_is_said_before_anything_is_heard(infer):
    code, out, err = infer("talk.wav", "-o", "talk.wav")
    assert (code, out) == (1, "")
    assert err == ["diarize infer: talk.wav: cannot write there (File exists); choose another -o"]


def test_threads_are_given_to_torch(infer, monkeypatch):
    given = []
    monkeypatch.setattr(torch, "set_num_threads", given.append)
    assert infer("talk.wav", "--threads", "1")[0] == 0
    assert given == [1]


# From here on a process of its own: what only a real one can show. They take some seconds each, and
# run with all others in `bash tests/run.sh`; `-m "not slow"` leaves them out.


@pytest.mark.slow
@pytest.mark.usefixtures("place", "diarizer")
def test_standard_input_and_a_closed_or_full_standard_output():
    with Path("talk.wav").open("rb") as sound:
        out, err = command("infer", "-", stdin=sound).communicate()
    assert out.startswith(b"SPEAKER stdin 1 ")
    assert err == b""
    with Path("/dev/full").open("w") as full:
        done = command("infer", "talk.wav", stdout=full)
        _, err = done.communicate()
    assert done.returncode == 1
    assert err.startswith(b"diarize infer: standard output: cannot be written (No space left")
    assert err.count(b"\n") == 1
    reader, writer = os.pipe()
    os.close(reader)
    done = command("infer", "talk.wav", stdout=writer)
    os.close(writer)
    assert (done.communicate()[1], done.returncode) == (b"", 141)


@pytest.mark.slow
@pytest.mark.usefixtures("place", "diarizer")
def test_on_a_terminal_the_bar_is_there_and_the_result_where_it_was_sent():
    ours, theirs = pty.openpty()
    with Path("out.rttm").open("w") as out:
        done = command("infer", "talk.wav", stdout=out, stderr=theirs)
        os.close(theirs)
        shown = b""
        while True:
            try:
                shown += os.read(ours, 4096)
            except OSError:  # its other end is closed
                break
    assert done.wait() == 0
    assert Path("out.rttm").read_text().startswith("SPEAKER talk 1 ")
    assert b"voices" in shown
    assert b"SPEAKER" not in shown


@pytest.mark.slow
@pytest.mark.usefixtures("place", "diarizer")
@pytest.mark.parametrize(
    ("number", "code", "told"),
    [(signal.SIGINT, 130, b"interrupted"), (signal.SIGTERM, 143, b"told to stop")],
)
def test_a_signal_in_the_middle_leaves_whole_files_only(number, code, told):
    for place in range(60):
        Path(f"talk{place:02d}.wav").symlink_to("talk.wav")
    done = command("infer", ".", "-o", "out")
    for _ in range(600):
        if list(Path().glob("out/*.rttm")):
            break
        time.sleep(0.1)
    done.send_signal(number)
    out, err = done.communicate()
    # a shell sees 130 as well when a process ends by the signal itself
    assert done.returncode in (code, -number)
    assert (out, err) == (b"", b"diarize infer: " + told + b"\n")
    files = list(Path("out").iterdir())
    assert 0 < len(files) < 60
    assert all(file.suffix == ".rttm" and read_rttm(file) for file in files)


@pytest.mark.slow
@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("after_s", [0.3, 0.8, 1.5])
def test_ctrl_c_while_it_starts_is_one_line(after_s):
    reader, writer = os.pipe()  # nothing ever comes: it waits, if it gets that far
    done = command("infer", "-", stdin=reader)
    time.sleep(after_s)
    done.send_signal(signal.SIGINT)
    out, err = done.communicate()
    os.close(reader)
    os.close(writer)
    assert done.returncode in (130, -signal.SIGINT)
    assert (out, err) == (b"", b"diarize infer: interrupted\n")
