import shlex
from types import SimpleNamespace

from typer.testing import CliRunner

from transfer import cli
from transfer.cli.next_steps import after_compare


def steps_of(*words):
    """What a command prints below `Next:`."""
    ended = CliRunner().invoke(cli.app, [str(word) for word in words])
    assert ended.exit_code == 0, ended.exception
    return ended.stdout.partition("Next:\n")[2].splitlines()


def test_check_goes_on_with_training_or_with_mending_first(digits_folder, tmp_path, monkeypatch):
    folder = tmp_path / "my digits"
    for name in ("1", "2"):
        (folder / name).mkdir(parents=True)
        for picture in (digits_folder / name).iterdir():
            (folder / name / picture.name).write_bytes(picture.read_bytes())
    assert steps_of("check", folder) == [f"  transfer train {shlex.quote(str(folder))}"]
    assert steps_of("check", folder, "--json") == []
    (tmp_path / "-dash").symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    (step,) = steps_of("check", "--", "-dash")
    assert step == "  transfer train ./-dash"
    picture = folder / "1" / "00.png"
    (folder / "2" / "same.png").write_bytes(picture.read_bytes())
    assert steps_of("check", folder) == [f"  transfer clean {shlex.quote(str(folder))}"]


def test_compare_names_a_network_that_was_clearly_better_than_the_chosen_one(tmp_path):
    def told(**difference):
        row = {"a": "frozen", "b": "scratch", "accuracy_difference": 0.2, "p_value_holm": 0.001} | difference
        return after_compare(SimpleNamespace(best="scratch", differences=[row]), tmp_path)

    predict = f"transfer predict {tmp_path}"
    assert told() == [f"{predict} new/*.jpg", f"{predict}/frozen new/*.jpg  # frozen was clearly better"]
    for unsure in ({"p_value_holm": 0.3}, {"p_value_holm": None}, {"accuracy_difference": -0.2}, {"b": "finetune"}):
        assert told(**unsure) == [f"{predict} new/*.jpg"]
