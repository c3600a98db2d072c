"""``study check`` says what a study's rounds change."""

from pathlib import Path

import pytest

from fedprompt.cli.main import main

LABELS = """study: mood
model: scripted
fields: [text]
answer: {type: choice, labels: [positive, negative]}
templates: [{name: a, text: "Review: {text}"}, {name: b, text: "{text} ="}]
"""
TEXT = """study: notes
model: scripted
pretraining: {steps: 7}
rounds: {count: 3, strategy: {name: diloco}}
"""


@pytest.mark.parametrize(
    ("study", "told"),
    [
        (LABELS, ("2 templates", "without a soft slot")),
        (
            LABELS + 'soft: {template: "Review: {text}{soft}", tokens: 2, init: " It is"}\n',
            ("2 templates", "with a soft slot"),
        ),
        (LABELS + "tunable: {lora: {rank: 2}}\n", ("2 templates", "with an adapter")),
        (TEXT, ("3 rounds of 7 steps",)),
    ],
)
def test_what_rounds_change_is_said(
    study: str, told: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(study, encoding="utf-8")
    assert main(["study", "check", str(path), "--home", str(tmp_path)]) == 0
    seen = capsys.readouterr().out
    assert all(part in seen for part in told) and ("template" in seen) == (study is not TEXT)
