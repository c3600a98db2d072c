"""The default instruct model, tuned by two sites in a slot of its system message, demonstrations beside it."""

from pathlib import Path

import numpy as np
import pytest

from fedprompt.evaluation.runs.demonstrations import Shown
from fedprompt.evaluation.runs.runner import query
from fedprompt.models.hf.model import HFModel
from fedprompt.models.registry import load
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.site.folder import SiteFolder
from fedprompt.study.files import read_study
from fedprompt.tuning.metered import prepare
from fedprompt.workspace.cases.site_of_file import cases_of, split_cases
from fedprompt.workspace.rounds.federating import federate
from fedprompt.workspace.rounds.start_prompt import start_prompt
from fedprompt.workspace.workspace import open_workspace

pytestmark = pytest.mark.model
SITES = ("bank", "clinic")
SAID = {
    "positive": ("a wonderful evening", "I loved it", "great fun", "the best of the year"),
    "negative": ("a waste of time", "I hated it", "dull and long", "the worst of the year"),
}
STUDY = """\
study: feeling
fields: [text]
answer: {type: choice, labels: [positive, negative]}
templates:
  - {name: plain, text: "Review: {text}\\nFeeling:"}
soft:
  messages:
    - {role: system, content: "Say what the review feels.{soft}\\n"}
    - {role: user, content: "{demonstrations}Review: {text}\\nFeeling: "}
  demonstrations: {count: 2, separator: "\\n"}
  tokens: 4
  init: "positive or negative"
tuning: {steps: 2, batch: 6, lr: 0.02}
rounds: {count: 2}
privacy: {min_cases: 4}
splits: {tune: 6, validation: 4, test: 4}
"""


def test_two_sites_tune_it_and_its_tokens_are_those_of_the_models_own_chat_format(fresh_home: Path) -> None:
    path, data = fresh_home.parent / "s.yaml", {}
    path.write_text(STUDY, encoding="utf-8")
    for site in SITES:
        SiteFolder(fresh_home / "sites" / site).prepare(site.encode().ljust(32, b"."))
        rows = [
            f"{said} {n} at the {site},{label}" for label, words in SAID.items() for n in range(2) for said in words
        ]
        data[site] = fresh_home.parent / f"{site}.csv"
        data[site].write_text("\n".join(["text,answer", *rows]) + "\n", encoding="utf-8")
    study = read_study(path)
    with open_workspace(fresh_home) as ws:
        found = federate(ws, path, data)
        prompt = ws.bank.prompt(found.prompts.federated)
    assert prompt.soft is not None and prompt.template == study.soft_template()

    model = load(study.model, fresh_home)
    assert isinstance(model, HFModel)
    cut = {s: split_cases(SiteFolder(fresh_home / "sites" / s), study, cases_of(data[s], study)) for s in SITES}
    for one in cut.values():
        objective = prepare(model, study, one.tune, tune=one.tune)
        slots = (start_prompt(model, study), prompt.soft)
        before, now = (objective.loss_and_gradient(slot.vectors, range(6)).loss for slot in slots)
        assert now < before
    splits = cut["bank"]
    shown, case = Shown(prompt.template, splits.tune), splits.validation[0]
    labels = study.answer.labels
    asked = query(prompt, case, labels, shown.to(case))
    (encoded,) = model._encoder.choices([(asked.rendered, asked.words, 4)])
    no, yes = (next(one for one in splits.tune if one.answer == label) for label in ("negative", "positive"))
    one = "Say what the review feels.\nReview: {}\nFeeling: {}\n".format
    before = "<|im_start|>system\nSay what the review feels."
    after = (
        "\n<|im_end|>\n<|im_start|>user\n"
        + one(no.fields["text"], "negative")
        + one(yes.fields["text"], "positive")
        + f"Review: {case.fields['text']}\nFeeling: <|im_end|>\n<|im_start|>assistant\n"
    )
    tokenizer = model._encoder._tokenizer
    messages = [
        {"role": "system", "content": "Say what the review feels.@\n"},
        {"role": "user", "content": after.split("user\n", 1)[1].split("<|im_end|>")[0]},
    ]
    laid = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert laid == before + "@" + after
    ids = [tokenizer(part, add_special_tokens=False).input_ids for part in (before, *(after + word for word in labels))]
    for path_, side in zip(encoded.paths, ids[1:], strict=True):
        assert [*encoded.context, *path_] == [*ids[0], -1, -1, -1, -1, *side]
    # The vectors matter where they stand: others of the same size change what is answered.
    other = Prompt(prompt.template, SoftPrompt(np.flipud(prompt.soft.vectors).copy(), prompt.soft.model))
    here, there = model.choices([asked, query(other, case, labels, shown.to(case))]).loglikelihoods
    assert np.abs(here - there).max() > 1e-3
