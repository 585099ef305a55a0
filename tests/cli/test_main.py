"""`diarize`: exit codes, one line for whatever goes wrong, and a quick start."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import diarize
from diarize.cli import VERBS, conf, main
from diarize.cli.process import NOTEBOOK, Terminated, polite_process
from diarize.cli.streams import print_result, tell
from diarize.errors import BadCall, BadFile, DiarizeError

ROOT = Path(__file__).parents[2]
CALL = ["conf", "a.toml"]


def fail_with(monkeypatch, error):
    def run(_arguments):
        raise error

    monkeypatch.setattr(conf, "run", run)
    return main(CALL)


def python(*words, **environment):
    """Python on these words, for its standard output."""
    variables = dict(os.environ, PYTHONPATH=str(ROOT)) | environment
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, env=variables, check=True
    )
    return done.stdout


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (BadFile("a.wav: empty"), 1, "a.wav: empty"),
        (BadCall("--seed is -1"), 2, "--seed is -1"),
        (DiarizeError("it"), 1, "it"),
        (OSError(28, "No space left on device", "a.rttm"), 1, "a.rttm: No space left on device"),
        (OSError("odd"), 1, "odd"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (Terminated(), 143, "told to stop"),
        (MemoryError(), 1, "not enough memory; give it more, or a shorter recording"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"),
            1,
            "not enough memory; give it more, or a shorter recording",
        ),
        (
            KeyError("frame"),
            1,
            "KeyError: 'frame' (a fault of the program: DIARIZE_TRACEBACK=1 says where)",
        ),
        (BadFile("two\nlines.wav: empty"), 1, "two\\nlines.wav: empty"),
    ],
)
def test_each_error_has_its_exit_code_and_one_line(monkeypatch, capfd, error, code, told):
    assert fail_with(monkeypatch, error) == code
    out, err = capfd.readouterr()
    assert (out, err) == ("", f"diarize conf: {told}\n")


def test_a_reader_that_left_is_no_error_to_speak_of(monkeypatch, capsys):
    assert fail_with(monkeypatch, BrokenPipeError()) == 141
    assert capsys.readouterr() == ("", "")


def test_where_an_error_arose_is_told_when_asked_for(monkeypatch, capsys):
    monkeypatch.setenv("DIARIZE_TRACEBACK", "1")
    assert fail_with(monkeypatch, KeyError("frame")) == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["magic"], ["conf"], ["--magic"], ["conf", "--magic", "x"]])
def test_a_call_the_parser_refuses_is_one_line_and_exit_code_2(capsys, words):
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("diarize")
    assert "--help` says what is right" in err
    assert err.count("\n") == 1


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert left.value.code == 0
    assert capsys.readouterr().out == f"diarize {diarize.__version__}\n"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(capsys, verb):
    with pytest.raises(SystemExit) as left:
        main([verb, "--help"])
    assert left.value.code == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"usage: diarize {verb}")
    assert err == ""


def test_help_loads_no_other_package_and_takes_no_time():
    code = (
        "import sys\nfrom diarize.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} - sys.stdlib_module_names))"
    )
    loaded = python("-S", "-c", code).splitlines()[-1]
    assert loaded == "['__main__', 'diarize']"
    took_s = []
    for _ in range(5):
        began = time.perf_counter()
        assert "usage: diarize" in python("-m", "diarize", "--help")
        took_s.append(time.perf_counter() - began)
    assert min(took_s) < 0.4


@pytest.mark.slow
def test_the_diarizer_does_without_pyplot_pandas_and_the_notebook():
    code = (
        "import sys\nfrom diarize.cli.process import polite_process\n"
        "with polite_process():\n    import diarize.inference.batch\n"
        "print(sorted({'matplotlib', 'pandas', 'sklearn', 'torchaudio', 'speechbrain'}"
        " & set(sys.modules)))\n"
        "from pyannote.core.notebook import notebook\nprint(notebook)"
    )
    loaded, notebook = python("-c", code).splitlines()
    assert loaded == "[]"
    assert "Notebook object" in notebook  # it can be had afterwards


def test_threads_of_torch_are_told_to_spin_briefly_unless_the_user_says_otherwise():
    code = (
        "import os\nfrom diarize.cli.process import polite_process\n"
        "with polite_process():\n    print(os.environ['GOMP_SPINCOUNT'])"
    )
    assert python("-c", code, GOMP_SPINCOUNT="7") == "7\n"
    assert int(python("-c", f"import os; os.environ.pop('GOMP_SPINCOUNT', 0)\n{code}")) < 10_000


def test_what_a_process_had_is_given_back(monkeypatch):
    import signal

    before = signal.getsignal(signal.SIGTERM)
    notebook = sys.modules.get(NOTEBOOK)
    with polite_process():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before
    assert sys.modules.get(NOTEBOOK) is notebook


def test_nothing_is_said_where_nobody_can_hear_it(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["conf", "nowhere.toml"]) == 1
    sys.stderr.close()  # what took its place
    assert capsys.readouterr().out == ""


def test_a_line_stays_a_line_whatever_is_in_it(capsys):
    tell("a\nb\tc\x1b[31m\udcff zoë 日本")
    assert capsys.readouterr().err == "a\\nb\\tc\\x1b[31m\\udcff zoë 日本\n"


def test_a_closed_standard_output_is_an_error(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(BadFile, match="standard output: it is closed"):
        print_result("text")
