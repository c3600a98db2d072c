"""A study says what its soft tokens start from: a text, drawn words of the vocabulary, or a prompt of the bank."""

from pathlib import Path

import numpy as np
import pytest

from fedprompt.errors import BankError, ModelMismatch, PromptError, StudyError
from fedprompt.models.scripted import ScriptedModel
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.prompts.template import Template
from fedprompt.study.files import parse_study
from fedprompt.study.schema import Study
from fedprompt.workspace.local.tuning import tune
from fedprompt.workspace.rounds.start_prompt import start_prompt
from fedprompt.workspace.workspace import Workspace
from tests.coded import coded
from tests.new_bank import new_workspace
from tests.scripted_sites import MODEL, STUDY, TEXT, study, write_cases

TEXT_INIT = 'init: "Overall the feeling is"'
# A rate that moves nothing: what is kept is what tuning started from, to float32.
STILL = TEXT.replace("lr: 0.05", "lr: 1.0e-12")


def starting(**init: object) -> Study:
    return study(soft={"init": init})


def kept(ws: Workspace, path: Path, init: str) -> SoftPrompt:
    """Return the soft prompt that tuning by a study file keeps, with a learning rate that moves nothing."""
    file = path / "s.yaml"
    file.write_text(STILL.replace(TEXT_INIT, init), encoding="utf-8")
    soft = ws.bank.prompt(tune(ws, file, write_cases(path / "a.csv", "a")).prompt).soft
    assert soft is not None
    return soft


def test_drawn_words_depend_on_the_studys_seed_alone() -> None:
    one, same, other = (start_prompt(MODEL, starting(source="vocabulary", seed=seed)) for seed in (0, 0, 1))
    assert one == same and one != other and one.tokens == 3
    assert start_prompt(MODEL, starting(source="vocabulary")) == one  # the seed is 0 where none is given
    lexicon = MODEL.vocabulary_init(512, np.random.default_rng(0)).vectors
    assert all((lexicon == vector).all(axis=1).any() for vector in one.vectors)


@pytest.mark.whole
def test_tuning_by_a_study_file_starts_from_drawn_words(tmp_path: Path) -> None:
    with new_workspace(tmp_path / "home") as ws:
        soft = kept(ws, tmp_path, "init: {source: vocabulary, seed: 5}")
    expected = start_prompt(MODEL, starting(source="vocabulary", seed=5))
    assert soft.vectors == pytest.approx(expected.vectors, abs=1e-6)


@pytest.mark.whole
def test_tuning_by_a_study_file_starts_from_a_prompt_of_the_bank(tmp_path: Path) -> None:
    with new_workspace(tmp_path / "home") as ws:
        held = MODEL.text_init("wonderful great awful", 3)
        prompt = Prompt(STUDY.soft_template(), held)
        ws.bank.record_prompt(prompt, study=None, origin="import")
        assert kept(ws, tmp_path, f"init: {{source: bank, prompt: '{prompt.id}'}}").vectors == pytest.approx(
            held.vectors, abs=1e-6
        )


def test_a_prompt_of_the_bank_that_does_not_fit_is_refused_with_what_differs(tmp_path: Path) -> None:
    with new_workspace(tmp_path) as ws:
        template = STUDY.soft_template()
        other = SoftPrompt(np.ones((3, MODEL.info.width), np.float32), "sha256:another")
        wanted = {
            Prompt(template, MODEL.text_init("a longer one", 5)): (PromptError, "wrong-shape"),
            Prompt(Template("t", text="{text}")): (PromptError, "wrong-shape"),
            Prompt(template, other): (ModelMismatch, "another-revision"),
        }
        for prompt, (error, code) in wanted.items():
            ws.bank.record_prompt(prompt, study=None, origin="import")
            with pytest.raises(error, check=coded(code)):
                start_prompt(MODEL, starting(source="bank", prompt=prompt.id), ws.bank)
        with pytest.raises(BankError, match="p1:0000", check=coded("no-such-prompt")):
            start_prompt(MODEL, starting(source="bank", prompt="p1:" + "0" * 32), ws.bank)


def test_without_a_bank_drawn_words_stand_for_its_prompt() -> None:
    asked = starting(source="bank", prompt="p1:" + "a" * 32, seed=4)
    assert start_prompt(ScriptedModel(), asked) == start_prompt(MODEL, starting(source="vocabulary", seed=4))


@pytest.mark.parametrize(
    ("init", "code", "names"),
    [
        ("{source: bank}", "does-not-fit", "init"),
        ("{source: vocabulary, prompt: 'p1:" + "a" * 32 + "'}", "does-not-fit", "init"),
        ("{source: elsewhere}", "not-well-formed", "init"),
        ("{source: vocabulary, seed: -1}", "not-well-formed", "init"),
        ("{source: bank, prompt: 'p1:zz'}", "not-well-formed", "init"),
    ],
)
def test_a_source_that_says_too_little_or_too_much_is_refused(init: str, code: str, names: str) -> None:
    with pytest.raises(StudyError, check=coded(code, names=names)):
        parse_study(TEXT.replace(TEXT_INIT, f"init: {init}"), "s.yaml")
