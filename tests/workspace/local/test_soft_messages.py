"""A soft prompt in a system message with demonstrations beside it, on a small model, from federation to exports."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fedprompt.errors import DataError, ExportError, ModelError
from fedprompt.evaluation.runs.runner import run_prompts
from fedprompt.models.registry import load
from fedprompt.prompts.template import Demonstrations
from fedprompt.site.folder import SiteFolder
from fedprompt.study.files import read_study
from fedprompt.workspace.cases.site_of_file import cases_of, split_cases
from fedprompt.workspace.exchange.exporting import export_prompts, import_file
from fedprompt.workspace.local.hardening import harden
from fedprompt.workspace.local.tuning import tune
from fedprompt.workspace.local.tuning_time import time_tuning
from fedprompt.workspace.rounds.federated import FederatedResult
from fedprompt.workspace.rounds.federating import federate
from fedprompt.workspace.rounds.forecast import forecast
from fedprompt.workspace.site.study import site_study_show
from fedprompt.workspace.workspace import Workspace, open_workspace
from tests.coded import coded
from tests.models.tiny import model, tokenizer

pytestmark = pytest.mark.slow
SITES = ("bank", "clinic")
STUDY = """\
study: talk
model: {folder}
fields: [text]
answer: {{type: choice, labels: [positive, negative]}}
templates:
  - {{name: plain, text: "Review: {{text}}\\nSentiment:"}}
soft:
  messages:
    - {{role: system, content: "You label films.{{soft}}\\n"}}
    - {{role: user, content: "{{demonstrations}}How is this? {{text}} "}}
  demonstrations: {{count: {count}, separator: "\\n"}}
  tokens: 2
  init: "good or bad"
tuning: {{steps: 2, batch: 4, lr: 0.05}}
rounds: {{count: 2, personal: {{mixtures: [0.5]}}}}
privacy: {{min_cases: 4}}
splits: {{tune: 8, validation: 8, test: 8}}
"""
Done = tuple[Workspace, FederatedResult, Path, dict[str, Path]]


def files(path: Path, *, count: int = 2, chat: bool = True) -> tuple[Path, dict[str, Path]]:
    """Save the small model, a study and its cases, and fix the sites' keys."""
    folder = path / "model"
    model("llama-untied")._lm.save_pretrained(folder)
    own = copy.deepcopy(tokenizer())
    own.chat_template = own.chat_template if chat else None
    own.save_pretrained(folder)
    study = path / "s.yaml"
    study.write_text(STUDY.format(folder=folder, count=count), encoding="utf-8")
    found = {}
    for site in SITES:
        SiteFolder(path / "home" / "sites" / site).prepare(site.encode().ljust(32, b"."))
        found[site] = path / f"{site}.csv"
        rows = [f"quixotry {site} {n},{('positive', 'negative')[n % 2]}" for n in range(30)]
        found[site].write_text("\n".join(["text,answer", *rows]) + "\n", encoding="utf-8")
    return study, found


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Done]:
    path = tmp_path_factory.mktemp("talk")
    study, data = files(path)
    with open_workspace(path / "home") as ws:
        yield ws, federate(ws, study, data), path, data


def test_sites_tune_together_a_slot_that_stands_in_the_system_message(done: Done) -> None:
    ws, found, path, data = done
    prompt = ws.bank.prompt(found.prompts.federated)
    assert prompt.template.is_chat and prompt.template.demonstrations == Demonstrations(2, "\n")
    assert [row.round for row in found.rounds] == [1, 2]
    assert ws.bank.stages(found.run)["choices"].keys() == set(SITES)
    assert found.test["federated"].by_site.keys() == set(SITES)
    assert ws.bank.verify() == () and federate(ws, path / "s.yaml", data) == found


def test_a_rounds_look_at_validation_is_the_prompts_own_score_with_its_demonstrations(done: Done) -> None:
    ws, found, path, data = done
    study = read_study(path / "s.yaml")
    lm = load(study.model, ws.home.path)
    for site in SITES:
        splits = split_cases(SiteFolder(ws.home.sites / site), study, cases_of(data[site], study))
        prompts = [ws.bank.prompt(row.prompt) for row in found.rounds]
        runs, _ = run_prompts(lm, prompts, splits.validation, study.answer, splits.tune)
        for row, run in zip(found.rounds, runs, strict=True):
            assert row.by_site[site] == pytest.approx(float(np.mean(run.values)))


def test_no_case_that_is_shown_leaves_or_reaches_the_bank(done: Done) -> None:
    ws, _, _, _ = done
    kept = [*ws.home.path.glob("bank*"), *ws.home.sites.glob("*/ledger.jsonl")]
    assert len(kept) >= 3
    for file in kept:
        assert b"quixotry" not in file.read_bytes().lower(), file


def test_formats_that_cannot_hold_it_say_why_and_a_bundle_brings_it_back(done: Done, tmp_path: Path) -> None:
    ws, found, _, _ = done
    soft = found.prompts.federated
    for format_ in ("peft", "any-slot", "vllm"):
        with pytest.raises(ExportError, match="bundle", check=coded("cannot-hold")):
            export_prompts(ws, [soft], format_, tmp_path / format_)
    with pytest.raises(ExportError, match="bundle", check=coded("cannot-hold")):
        export_prompts(ws, [soft], "langchain", tmp_path / "l.json")
    with pytest.raises(ExportError, check=coded("cannot-hold")):
        export_prompts(ws, [soft], "promptfoo", tmp_path / "p.zip")
    written = export_prompts(ws, [soft], "bundle", tmp_path / "b.zip")
    card = export_prompts(ws, [soft], "card", tmp_path / "card.md").path.read_text(encoding="utf-8")
    assert "[system] You label films.{soft}" in card and "stands for 2 labelled cases of your own" in card
    with open_workspace(tmp_path / "other") as other:
        assert list(import_file(other, written.path).prompts) == [soft]
        assert other.bank.prompt(soft) == ws.bank.prompt(soft)


def test_hardened_it_is_a_chat_of_words_that_still_shows_demonstrations(done: Done) -> None:
    ws, found, _, data = done
    words = harden(ws, found.prompts.federated, data["bank"], steps=0)  # the nearest words
    template = ws.bank.prompt(words.prompt).template
    assert template.messages is not None and template.demonstrations == Demonstrations(2, "\n")
    assert template.messages[0].content == f"You label films.{words.words}\n" and not template.has_soft
    assert words.validation["words"].score.n == 8


def test_it_is_foretold_timed_tuned_alone_and_shown_to_a_sites_operator(tmp_path: Path) -> None:
    study, data = files(tmp_path)
    with open_workspace(tmp_path / "home") as ws:
        told = forecast(ws, study, dict(data))
        assert told.basis == "measured" and all(one.seconds for one in told.sites.values())
        assert time_tuning(ws, study, data["bank"]).steps == 4
        assert ws.bank.prompt(tune(ws, study, data["bank"]).prompt).template.is_chat
        shown = site_study_show(ws.home, study).soft
    assert shown is not None
    assert [message["role"] for message in shown["messages"]] == ["system", "user"]
    assert shown["demonstrations"] == {"count": 2, "separator": "\n"} and "template" not in shown
    assert json.loads(read_study(study).model_dump_json())["soft"]["messages"] == shown["messages"]


def test_a_model_without_a_chat_format_is_refused_before_any_site_is_asked(tmp_path: Path) -> None:
    study, data = files(tmp_path, chat=False)
    with open_workspace(tmp_path / "home") as ws:
        for begin in (
            lambda: federate(ws, study, data),
            lambda: tune(ws, study, data["bank"]),
            lambda: forecast(ws, study, dict(data)),
            lambda: time_tuning(ws, study, data["bank"]),
        ):
            with pytest.raises(ModelError, check=coded("no-chat-format")):
                begin()
        assert not ws.bank.runs(kind="federate")


def test_a_site_with_too_few_cases_to_show_is_told_before_any_work(tmp_path: Path) -> None:
    study, data = files(tmp_path, count=8)  # 8 cases to tune on, and each is shown others alone
    with (
        open_workspace(tmp_path / "home") as ws,
        pytest.raises(DataError, match=r"bank\.csv.*'bank'", check=coded("too-few-cases")),
    ):
        federate(ws, study, data)
