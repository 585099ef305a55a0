"""The stage runner: what it does again, what it leaves, and what is left when it is stopped."""

import fcntl
import os
import signal

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
    assert "[4 infer] was not done with these settings; going on, as told" in done.stdout


def test_a_dry_run_says_what_would_be_done_and_leaves_no_trace(recipe):
    planned = recipe.run("--dry-run")
    assert planned.stdout.splitlines() == [
        "[0 fetch] would run recipes/0_fetch.sh tiny",
        "[4 infer] would run recipes/toy/4_infer.sh",
        "[5 score] would run recipes/5_score.sh",
    ]
    assert sorted(path.name for path in recipe.folder.iterdir()) == ["conf", "run.sh"]


def test_a_dry_run_knows_that_a_stale_stage_makes_the_later_ones_stale(recipe):
    recipe.run()
    recipe.settings("[infer]\nonset = 0.6\n")
    assert recipe.run("--dry-run").stdout.splitlines() == [
        "[0 fetch] done",
        "[4 infer] would run recipes/toy/4_infer.sh",
        "[5 score] would run recipes/5_score.sh",
    ]


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
    assert last == "# exit 0 after 0 s"


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


def test_help_opens_with_what_the_recipe_is(recipe):
    shown = recipe.run("--help").stdout
    assert shown.startswith("A recipe for the tests.\n")
    assert "--stop-stage N" in shown
