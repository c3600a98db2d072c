"""``harden`` keeps the words it found, tells what they keep, goes on where it stopped; others' rankings stay."""

import json
from pathlib import Path

import pytest

from fedprompt.cli.main import main
from fedprompt.errors import FedPromptError, ModelMismatch
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.study.score import Score
from fedprompt.workspace.local.hardening import harden
from fedprompt.workspace.local.tuning import tune
from fedprompt.workspace.progress import Progress
from fedprompt.workspace.ranking.ranking_page import Filter, ranking_page
from fedprompt.workspace.workspace import Workspace
from tests.coded import coded
from tests.new_bank import new_workspace
from tests.scripted_sites import MODEL, STUDY, write_cases, write_study

pytestmark = pytest.mark.whole


def tuned(ws: Workspace, path: Path) -> tuple[str, Path]:
    """Return a soft prompt that was tuned here, and the cases."""
    data = write_cases(path / "a.csv", "a")
    return tune(ws, write_study(path / "s.yaml"), data).prompt, data


def test_the_words_are_a_template_of_the_bank_that_names_its_soft_prompt(tmp_path: Path) -> None:
    with new_workspace(tmp_path / "home") as ws:
        soft, data = tuned(ws, tmp_path)
        found = harden(ws, soft, data, steps=1)
        row, prompt = ws.bank.prompt_row(found.prompt), ws.bank.prompt(found.prompt)
        assert (row.kind, row.origin, row.parents) == ("template", "hardened", (soft,))
        assert prompt.template.text == f"Review: {{text}}{found.words}\nSentiment:" == found.template
        assert prompt.template.words == STUDY.soft_template().words
        assert found.search.end.objective <= found.search.start.objective
        rows = found.validation
        assert list(rows) == ["soft", "cosine", "euclid", "words", "manual"]
        assert rows["soft"].against_soft is None and rows["words"].score.n == 20
        for one in rows.values():
            if one.against_soft is not None:
                apart = one.against_soft
                assert apart.difference == pytest.approx(one.score.value - rows["soft"].score.value)
                assert apart.low <= apart.difference <= apart.high
        for value in (rows["words"].score.value, rows["soft"].score.value):
            assert f"{value:.2f}" in found.sentence
        # It stands in the ranking beside what it was made from.
        assert {soft, found.prompt} <= {one.id for one in ranking_page(ws, Filter(study=row.study)).rows}
        assert ws.bank.verify() == ()
        assert harden(ws, soft, data, steps=1) == found  # the same run


@pytest.mark.slow
def test_a_search_that_was_stopped_ends_with_the_words_of_one_that_was_not(tmp_path: Path) -> None:
    with new_workspace(tmp_path / "home") as ws:
        soft, data = tuned(ws, tmp_path)
        whole = harden(ws, soft, data, steps=4, fluency=0.0, seed=1)
    with new_workspace(tmp_path / "other") as ws:
        # The same key, so that the same cases are in each split.
        key = tmp_path / "home" / "sites" / "this-site" / "site.key"
        other = tmp_path / "other" / "sites" / "this-site"
        other.mkdir(parents=True, mode=0o700)
        (other / "site.key").write_bytes(key.read_bytes())
        (other / "site.key").chmod(0o600)
        tuned(ws, tmp_path)
        heard = []

        def stop(progress: Progress) -> None:
            heard.append(progress)
            if progress.detail.get("step") == 2:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            harden(ws, soft, data, steps=4, fluency=0.0, seed=1, report=stop)
        assert any(one.seconds_left is not None for one in heard)
        steps: list[int] = []
        found = harden(
            ws, soft, data, steps=4, fluency=0.0, seed=1, report=lambda p: steps.extend([p.detail.get("step", 0)])
        )
        assert [step for step in steps if step] == [3, 4]
        assert found.words == whole.words and found.search == whole.search


def test_what_has_no_vectors_or_no_study_or_another_model_is_refused(tmp_path: Path) -> None:
    with new_workspace(tmp_path / "home") as ws:
        soft, data = tuned(ws, tmp_path)
        words = harden(ws, soft, data, steps=0).prompt
        with pytest.raises(FedPromptError, check=coded("words-of-its-own")):
            harden(ws, words, data)
        template = STUDY.soft_template()
        stray = ws.bank.record_prompt(Prompt(template, MODEL.text_init("a b", 2)), study=None, origin="import")
        with pytest.raises(FedPromptError, check=coded("came-without-study")):
            harden(ws, stray, data)
        study = ws.bank.prompt_row(soft).study
        foreign = Prompt(template, SoftPrompt(MODEL.text_init("a b", 2).vectors, "sha256:other"))
        ws.bank.record_prompt(foreign, study=study, origin="import")
        with pytest.raises(ModelMismatch):
            harden(ws, foreign.id, data)


def test_another_federations_ranking_keeps_its_sites(tmp_path: Path) -> None:
    with new_workspace(tmp_path / "home") as ws:
        data, prompt = write_cases(tmp_path / "a.csv", "a"), Prompt(STUDY.soft_template(), MODEL.text_init("a b", 2))
        digest = STUDY.digest(MODEL.info.digest)
        ws.bank.record_study(STUDY, digest, MODEL.info.digest)
        ws.bank.record_prompt(prompt, study=digest, origin="federated")
        ws.bank.start_run("r1:" + "1" * 32, kind="federate", study=digest, settings={})
        body = {"prompt": prompt.id, "split": "validation", "metric": "accuracy", "n": 40, "groups": 40}
        score = Score.model_validate({**body, "total": 30, "squares": 30, "group_squares": 7.5})
        for site in ("east", "west"):
            ws.bank.record_scores("r1:" + "1" * 32, site, [score])
        found = harden(ws, prompt.id, data, steps=0)
        assert {row.site for row in ws.bank.scores(study=digest)} == {"east", "west"}
        assert ws.bank.prompt_row(found.prompt).notes["kept"] == found.sentence


def test_the_command_shows_what_was_kept_and_prints_the_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with new_workspace(tmp_path / "home") as ws:
        soft, data = tuned(ws, tmp_path)
    arguments = [
        "harden",
        soft,
        "--data",
        str(data),
        "--steps",
        "0",
        "--fluency",
        "0",
        "--home",
        str(tmp_path / "home"),
    ]
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert "words found" in shown and "keeps 0." in shown
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["from"] == soft
    assert main(["harden", "p1:0000", "--data", str(data), "--home", str(tmp_path / "home")]) == 1
