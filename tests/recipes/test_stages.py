"""The stage runner: what it does again, what it leaves, and what is left when it is stopped."""

import fcntl
import os
import re
import signal
import socket
import subprocess

import pytest

ALL = ["fetched tiny", "inferred a", "inferred b", "scored"]


def test_a_first_run_does_every_stage_shows_the_table_and_says_where_results_are(recipe):
    done = recipe.run()
    assert done.returncode == 0, done.stderr
    assert recipe.happened() == ALL
    assert "\na table\n" in done.stdout
    assert done.stdout.endswith(f"{recipe.exp / 'result'}\n")


def test_a_second_run_does_nothing_and_still_shows_the_table(recipe):
    recipe.run()
    recipe.happened()
    again = recipe.run()
    assert recipe.happened() == []
    assert [line for line in again.stdout.splitlines() if line.startswith("[")] == [
        "[0 fetch] done",
        "[4 infer] done",
        "[5 score] done",
    ]
    assert "a table" in again.stdout


def test_a_table_of_an_earlier_run_is_not_shown_for_a_new_one_that_stops_before_it(recipe):
    recipe.run()
    recipe.settings("[infer]\nonset = 0.6\n")
    os.utime(recipe.exp / "score.txt", (1e9, 1e9))
    again = recipe.run("--stop-stage", "4")
    assert "a table" not in again.stdout
    assert "score.txt is of an earlier run; the stages after 4 make it anew" in again.stdout
    assert "a table" in recipe.run().stdout
    assert "a table" in recipe.run("--stop-stage", "4").stdout  # nothing was done, so it holds


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("[score]\ncollar_s = 0.25\n", ["scored"]),
        ("[infer]\nonset = 0.6\n", ["inferred a", "inferred b", "scored"]),
        ("[data]\nseconds = 9\n", ALL),
        ("# a remark\n[infer]\n\n[score]\n", []),
    ],
)
def test_a_changed_setting_redoes_the_stages_from_its_own_table_on(recipe, settings, expected):
    recipe.run()
    recipe.happened()
    recipe.settings(settings)
    recipe.run()
    assert recipe.happened() == expected


def test_a_changed_stage_script_redoes_that_stage_and_the_later_ones(recipe):
    recipe.run()
    recipe.happened()
    script = recipe.folder.parent.parent / "recipes" / "toy" / "4_infer.sh"
    script.write_text(script.read_text() + "# changed\n")
    recipe.run()
    assert recipe.happened() == ["inferred a", "inferred b", "scored"]


def test_a_named_stage_is_done_again_with_all_after_it(recipe):
    recipe.run()
    recipe.happened()
    recipe.run("--stage", "4")
    assert recipe.happened() == ["inferred a", "inferred b", "scored"]
    recipe.run("--stage", "4", "--stop-stage", "4")
    assert recipe.happened() == ["inferred a", "inferred b"]
    recipe.run()
    assert recipe.happened() == ["scored"]


def test_going_past_a_stage_that_was_never_done_is_said(recipe):
    done = recipe.run("--stage", "5")
    assert recipe.happened() == ["scored"]
    assert "[4 infer] is missing; going on, as told" in done.stdout


def test_going_past_a_stage_that_is_stale_is_said(recipe):
    recipe.run()
    recipe.happened()
    recipe.settings("[infer]\nonset = 0.6\n")
    done = recipe.run("--stage", "5")
    assert recipe.happened() == ["scored"]
    assert "[4 infer] is stale (its settings changed); going on, as told" in done.stdout
    recipe.run()
    assert recipe.happened() == ["inferred a", "inferred b", "scored"]


def test_a_dry_run_says_what_would_be_done_and_leaves_no_trace(recipe):
    planned = recipe.run("--dry-run")
    assert planned.stdout.splitlines() == [
        "[0 fetch] missing: would run recipes/0_fetch.sh tiny",
        "[4 infer] missing: would run recipes/toy/4_infer.sh",
        "[5 score] missing: would run recipes/5_score.sh",
    ]
    assert sorted(path.name for path in recipe.folder.iterdir()) == ["conf", "run.sh"]


def test_a_dry_run_knows_that_a_stale_stage_makes_the_later_ones_stale(recipe):
    recipe.run()
    recipe.settings("[infer]\nonset = 0.6\n")
    assert recipe.run("--dry-run").stdout.splitlines() == [
        "[0 fetch] done",
        "[4 infer] stale (its settings changed): would run recipes/toy/4_infer.sh",
        "[5 score] stale (the stages before, its settings changed): would run recipes/5_score.sh",
    ]


def test_a_dry_run_says_what_made_a_stage_stale(recipe):
    recipe.run()
    root = recipe.folder.parent.parent
    script, run = root / "recipes" / "5_score.sh", recipe.folder / "run.sh"
    script.write_text(script.read_text() + "# changed\n")
    assert "[5 score] stale (its script changed): would" in recipe.run("--dry-run").stdout
    run.write_text(run.read_text().replace("stage 5 score", "stage 5 score more"))
    assert (
        "[5 score] stale (its arguments, its script changed): would run recipes/5_score.sh more"
    ) in recipe.run("--dry-run").stdout


def test_a_dry_run_knows_what_is_done_but_named_and_what_was_stopped_in_the_middle(recipe):
    recipe.run("--stop-stage", "0")
    recipe.stop_in_the_middle()
    said = recipe.run("--dry-run", "--stage", "0").stdout.splitlines()
    assert said[:2] == [
        "[0 fetch] done: would run recipes/0_fetch.sh tiny",
        "[4 infer] missing: would run recipes/toy/4_infer.sh",
    ]
    (line,) = recipe.run("--dry-run", "--stop-stage", "4").stdout.splitlines()[1:]
    assert line == "[4 infer] stopped in the middle: would run recipes/toy/4_infer.sh"


def test_a_stale_stage_says_why_it_is_done_again(recipe):
    recipe.run()
    recipe.settings("[score]\ncollar_s = 0.25\n")
    assert "[5 score] stale (its settings changed)\n" in recipe.run().stdout


def test_a_mark_that_does_not_say_what_it_was_made_of_is_held_to(recipe):
    recipe.run()
    recipe.happened()
    for mark in recipe.folder.rglob("done/*"):
        mark.write_text("".join(mark.read_text().splitlines(keepends=True)[:1]))
    assert "[0 fetch] done" in recipe.run("--dry-run").stdout
    recipe.settings("[data]\nseconds = 9\n")
    assert "[0 fetch] stale: would run" in recipe.run("--dry-run").stdout


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_goes_on_where_it_was(recipe, number, code):
    stopped = recipe.stop_in_the_middle(number)
    assert stopped.returncode == code
    assert "the same command goes on from here" in stopped.stderr
    assert recipe.happened() == ["fetched tiny", "inferred a"]
    assert recipe.run().returncode == 0
    assert recipe.happened() == ["inferred b", "scored"]


def test_a_run_that_was_killed_outright_goes_on_where_it_was(recipe):
    assert recipe.stop_in_the_middle(signal.SIGKILL).returncode == -signal.SIGKILL
    recipe.happened()
    recipe.run()
    assert recipe.happened() == ["inferred b", "scored"]


def test_results_of_other_settings_are_never_taken_for_what_a_stopped_run_left(recipe):
    recipe.run()
    recipe.settings("[infer]\nonset = 0.6\n")
    recipe.stop_in_the_middle()
    recipe.happened()
    recipe.run()
    assert recipe.happened() == ["inferred b", "scored"]
    recipe.settings("[infer]\nonset = 0.7\n")
    recipe.run()
    assert recipe.happened() == ["inferred a", "inferred b", "scored"]


def test_a_failed_stage_shows_its_last_lines_and_gives_its_exit_code(recipe):
    recipe.exp.mkdir(parents=True)
    (recipe.exp / "bad").touch()
    failed = recipe.run()
    assert failed.returncode == 7
    log = recipe.exp / "log" / "5_score.log"
    assert "  line 30\n" in failed.stderr
    assert "  line 1\n" not in failed.stderr
    assert failed.stderr.splitlines()[-1].startswith(
        "toy eg/run.sh: stage 5 score failed with exit code 7"
    )
    assert failed.stderr.endswith(f"all of it: {log}\n")
    (recipe.exp / "bad").unlink()
    recipe.happened()
    recipe.run()
    assert recipe.happened() == ["scored"]


def test_a_log_opens_with_the_command_and_closes_with_exit_code_and_seconds(recipe):
    recipe.run()
    first, *_, last = (recipe.exp / "log" / "0_fetch.log").read_text().splitlines()
    assert first.startswith("# conf=conf/default.toml data=data exp=exp/default nj=1 bash ")
    assert first.endswith("/0_fetch.sh tiny")
    assert re.fullmatch("# exit 0 after [0-9]+ s", last)


def test_two_runs_in_one_folder_are_refused(recipe):
    recipe.exp.mkdir(parents=True)
    descriptor = os.open(recipe.exp / "lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        second = recipe.run()
    finally:
        os.close(descriptor)
    assert second.returncode == 1
    assert "another run.sh is at work in exp/default" in second.stderr
    assert recipe.happened() == []


def test_who_is_at_work_is_said_and_the_lock_ends_with_them(recipe):
    first = recipe.start_halfway()
    second = recipe.run()
    recipe.end(first, signal.SIGKILL)
    assert second.returncode == 1
    assert second.stderr.startswith("toy eg/run.sh: another run.sh is at work in exp/default (")
    assert f"(process {first.pid} on {socket.gethostname()} since 2" in second.stderr
    assert second.stderr.count("\n") == 1
    assert recipe.run().returncode == 0


def test_what_a_killed_run_left_at_work_is_waited_for(recipe):
    first = recipe.start_halfway()
    first.kill()  # bash alone: its stage goes on
    first.wait()
    second = recipe.run()
    recipe.end(first, signal.SIGKILL)
    assert second.returncode == 1
    assert f"what a run.sh that was killed (process {first.pid} on " in second.stderr
    assert "has started is still at work in exp/default; wait for it" in second.stderr
    assert recipe.run().returncode == 0


@pytest.fixture
def small_disk(tmp_path):
    """A folder with room for 256 KB, where that can be had."""
    folder = tmp_path / "small disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a small disk can be mounted by root only, where mounting is allowed")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_full_in_the_middle_of_a_stage_is_named_and_the_run_goes_on(
    recipe, small_disk
):
    fill = small_disk / "other"
    script = recipe.folder.parent.parent / "recipes" / "toy" / "4_infer.sh"
    script.write_text(
        script.read_text().replace(
            'cp "$data/audio"',
            f'[[ ! -e "{fill}" ]] || cat /dev/zero >> "{fill}"\n  cp "$data/audio"',
        )
    )
    exp = small_disk / "exp"
    recipe.run("--exp", exp, "--stop-stage", "0")
    fill.touch()
    failed = recipe.run("--exp", exp)
    assert failed.returncode != 0
    assert "No space left on device" in failed.stderr
    assert f"; the disk of {exp} is full: make room, and the same command goes on" in failed.stderr
    assert not (exp / "done" / "4_infer").exists()
    fill.unlink()
    done = recipe.run("--exp", exp)
    assert done.returncode == 0, done.stderr
    assert (exp / "result" / "a").read_text() == (exp / "result" / "b").read_text() != ""


def test_a_log_that_cannot_be_written_ends_the_run_in_one_line(recipe):
    (recipe.exp / "log").mkdir(parents=True)
    (recipe.exp / "log" / "0_fetch.log").symlink_to("/dev/full")
    failed = recipe.run()
    assert failed.returncode == 1
    assert "stage 0 fetch: cannot write exp/default/log/0_fetch.log" in failed.stderr
    assert recipe.happened() == []


def test_runs_that_share_their_data_fetch_it_once(recipe):
    recipe.run("--exp", "exp/one")
    other = recipe.run("--exp", "exp/two")
    assert "[0 fetch] done" in other.stdout
    assert not (recipe.folder / "exp/two/log/0_fetch.log").exists()
    assert (recipe.folder / "exp/two/result/b").exists()


def test_another_conf_is_another_run(recipe):
    (recipe.folder / "conf" / "strict.toml").write_text('extends = "default.toml"\n')
    recipe.run("--conf", "conf/strict.toml")
    assert (recipe.folder / "exp" / "strict" / "score.txt").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--stage", "x"], "--stage takes 0 to 6, not 'x'"),
        (["--stage", "7"], "--stage takes 0 to 6, not '7'"),
        (["--stage", "5", "--stop-stage", "4"], "--stage 5 comes after --stop-stage 4"),
        (["--stage", "6"], "--stage 6: the last stage of this recipe is 5"),
        (
            ["--launcher", "moon"],
            "--launcher takes local, dask, slurm, sge, pbs or lsf, not 'moon'",
        ),
        (["--launcher", "dask"], "--launcher dask needs --address tcp://host:8786"),
        (
            ["--launcher", "slurm", "--launchers", "none.toml"],
            "cannot read --launchers none.toml",
        ),
        (["--nj", "0"], "--nj takes a whole number from 1, not '0'"),
        (["--conf", "conf/none.toml"], "cannot read --conf conf/none.toml"),
        (["--onset", "0.5"], "no option --onset (settings belong in conf/; see --help)"),
        (["--data"], "--data takes a value"),
    ],
)
def test_a_bad_call_is_refused_in_one_line_before_anything_is_made(recipe, words, message):
    refused = recipe.run(*words)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert message in refused.stderr
    assert not (recipe.folder / "exp").exists()


def test_a_misspelt_table_stops_the_run_and_names_the_nearest(recipe):
    recipe.settings("[infre]\n")
    refused = recipe.run()
    assert refused.returncode == 1
    assert "did you mean 'infer'?" in refused.stderr
    assert recipe.happened() == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ('extends = "none.toml"\n', "conf/none.toml: no such conf file, which "),
        ("infer = 3\n", "infer = 3; a table [infer] would be right"),
        ("[infer\n", "not a TOML file"),
    ],
)
def test_a_conf_that_cannot_be_used_stops_the_run_before_its_first_stage(recipe, settings, message):
    recipe.settings(settings)
    refused = recipe.run()
    assert refused.returncode == 1
    assert message in refused.stderr
    assert "the settings in conf/default.toml cannot be used" in refused.stderr
    assert recipe.happened() == []


def test_the_scheduler_and_the_settings_of_batch_systems_reach_the_jobs(recipe):
    script = recipe.folder.parent.parent / "recipes" / "0_fetch.sh"
    script.write_text(
        script.read_text() + 'echo "$launcher $DIARIZE_ADDRESS $DIARIZE_LAUNCHERS" > "$exp/told"\n'
    )
    (recipe.folder / "mine.toml").touch()
    words = ["--launcher", "dask", "--address", "tcp://host:1", "--launchers", "mine.toml"]
    recipe.run(*words, "--stop-stage", "0")
    assert (recipe.exp / "told").read_text() == "dask tcp://host:1 mine.toml\n"
    recipe.run("--stage", "0", "--stop-stage", "0")
    shipped = recipe.folder.parent.parent / "recipes" / "launchers.toml"
    assert (recipe.exp / "told").read_text() == f"local  {shipped}\n"


def test_help_opens_with_what_the_recipe_is(recipe):
    shown = recipe.run("--help").stdout
    assert shown.startswith("A recipe for the tests.\n")
    assert "--stop-stage N" in shown
