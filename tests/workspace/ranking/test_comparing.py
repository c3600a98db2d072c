from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from fedprompt.models.scripted import ScriptedModel
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from fedprompt.study.score import Comparison, Score
from fedprompt.workspace.demo.run import demo_study
from fedprompt.workspace.demo.settings import DemoSettings
from fedprompt.workspace.ranking.comparing import compare
from fedprompt.workspace.workspace import Workspace, open_workspace
from tests.new_bank import put_bank

CASES = 100


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    put_bank(tmp_path / "bank.db")
    with open_workspace(tmp_path) as opened:
        yield opened


def scored(ws: Workspace, better: Sequence[tuple[int, int]]) -> list[str]:
    """Put prompts into the bank; the first beats each other in ``better[i][0]`` cases and loses ``better[i][1]``."""
    study, info = demo_study(DemoSettings(task="sentiment", model="scripted")), ScriptedModel().info
    digest = study.digest(info.digest)
    ws.bank.record_study(study, digest, info.digest)
    run = "r1:" + "0" * 32
    ws.bank.start_run(run, kind="score", study=digest, settings={})
    ids = [
        ws.bank.record_prompt(Prompt(Template(f"p{n}", f"{n}: {{text}}")), study=digest, origin="study")
        for n in range(1 + len(better))
    ]
    whole = {"split": "validation", "n": CASES, "groups": CASES}
    ws.bank.record_scores(
        run,
        "north",
        [
            Score.model_validate(
                {**whole, "prompt": one, "metric": "accuracy", "total": 50, "squares": 50, "group_squares": 25}
            )
            for one in ids
        ],
    )
    pairs = [
        Comparison.model_validate(
            {
                **whole,
                "first": ids[0],
                "second": other,
                "total": won - lost,
                "squares": won + lost,
                "group_squares": won + lost - (won - lost) ** 2 / CASES,
                "better": won,
                "worse": lost,
            }
        )
        for other, (won, lost) in zip(ids[1:], better, strict=True)
    ]
    ws.bank.record_comparisons(run, "north", pairs)
    return ids


def test_of_one_pair_the_interval_decides_and_nothing_is_corrected(ws: Workspace) -> None:
    (pair,) = compare(ws, scored(ws, [(16, 4)])).pairs
    # McNemar, exactly: 2 * sum over k <= 4 of C(20, k) / 2**20 = 2 * 6196 / 1048576
    assert pair.p_value == pytest.approx(0.011818, abs=1e-6)
    assert pair.sentence.startswith("“p0” is significantly better than “p1” at one site: the difference is 12.0 points")
    assert "corrected" not in pair.sentence


def test_of_several_pairs_the_corrected_p_value_decides_too_and_the_sentence_says_so(ws: Workspace) -> None:
    # The same difference five times: each p-value is 0.0118, and 5 * 0.0118 = 0.059 is not under 0.05.
    view = compare(ws, scored(ws, [(16, 4)] * 5))
    for pair in view.pairs:
        assert pair.interval is not None and pair.interval.low > 0
        assert pair.p_adjusted == pytest.approx(5 * 0.011818, abs=1e-5)
        assert "not significantly different, corrected for 5 pairs: the difference is 12.0" in pair.sentence


def test_a_pair_that_outlives_the_correction_is_called_better_or_worse(ws: Workspace) -> None:
    # 24 to 2 has p = 2 * 352 / 2**26 = 0.00001 and 2 to 24 the same; 5 to 5 has p = 1.
    better, worse, alike = compare(ws, scored(ws, [(24, 2), (2, 24), (5, 5)])).pairs
    assert better.sentence.startswith("“p0” is significantly better than “p1” at one site, corrected for 3 pairs: the")
    assert worse.sentence.startswith("“p0” is significantly worse than “p2” at one site, corrected for 3 pairs: the")
    assert "not significantly different, corrected for 3 pairs" in alike.sentence
