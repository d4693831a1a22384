import pytest

from transfer import progress


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass only when a test says so."""
    passed = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: passed[0])
    return passed


def test_without_a_terminal_a_long_phase_tells_its_progress_in_lines(clock, capsys):
    with progress.bar("features", 4317) as advance:
        for _ in range(4317):
            clock[0] += 0.0625
            advance()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "features 480/4317 (4 min left)"
    assert lines[-1] == "features 3840/4317 (30 s left)"
    assert len(lines) == 8


def test_a_note_stands_behind_and_hours_are_named(clock, capsys):
    with progress.bar("finetune", 10) as advance:
        clock[0] += 3600
        advance(note="validation accuracy 0.913")
        clock[0] += 60
        advance(2)
    assert capsys.readouterr().err.splitlines() == [
        "finetune 1/10 (9.0 h left), validation accuracy 0.913",
        "finetune 3/10 (2.4 h left)",
    ]


def test_what_was_done_before_tells_nothing_of_the_time_that_is_left(clock, capsys):
    with progress.bar("predict", 1000, done=900) as advance:
        clock[0] += 60
        advance(50)
    assert capsys.readouterr().err == "predict 950/1000 (60 s left)\n"


@pytest.mark.parametrize("total", [3, 0])
def test_a_short_phase_says_nothing(clock, capsys, total):
    with progress.bar("head", total) as advance:
        for _ in range(total):
            clock[0] += 9
            advance()
    assert capsys.readouterr() == ("", "")
