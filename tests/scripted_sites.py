"""Small sites of made-up cases and the scripted model, for tests of whatever works on sites."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fedprompt.evaluation.cases import Case
from fedprompt.evaluation.scorers.scorer import Resources
from fedprompt.models.scripted import ScriptedModel
from fedprompt.site.folder import SiteFolder
from fedprompt.site.worker import Worker
from fedprompt.study.schema import Study
from fedprompt.workspace.cases.site_of_file import make_worker, split_cases

__all__ = ["LABELS", "MODEL", "STUDY", "cases", "short_worker", "study", "worker", "write_cases", "write_study"]

MODEL = ScriptedModel()
LABELS = ("positive", "negative")
WORDS = {
    "positive": ("wonderful", "great", "lovely", "useful"),
    "negative": ("terrible", "awful", "boring", "useless"),
}
TEXT = """\
study: small
model: scripted
fields: [text]
answer: {type: choice, labels: [positive, negative]}
templates:
  - {name: plain, text: "Review: {text}\\nSentiment:"}
  - {name: verdict, text: "{text}\\nOverall this was", words: {positive: " good", negative: " bad"}}
  - {name: two-shot, text: "{demonstrations}Review: {text}\\nSentiment:", demonstrations: {count: 2}}
soft: {template: "Review: {text}{soft}\\nSentiment:", tokens: 3, init: "Overall the feeling is"}
tuning: {steps: 2, batch: 8, lr: 0.05}
rounds: {count: 2}
privacy: {min_cases: 10, min_cell: 1, questions: 1000, details: all}
splits: {tune: 30, validation: 20, test: 20}
"""


def study(**changes: Mapping[str, Any]) -> Study:
    """Return the small study, some of its parts changed."""
    import yaml

    body = yaml.safe_load(TEXT)
    return Study.model_validate({**body, **{k: {**body.get(k, {}), **v} for k, v in changes.items()}})


STUDY = study()


def cases(site: str, count: int = 80) -> tuple[Case, ...]:
    """Return distinct cases, labels in turn; in every fifth the word speaks against the label."""
    found = []
    for n in range(count):
        label = LABELS[n % 2]
        spoken = LABELS[(n + 1) % 2] if n % 5 == 0 else label
        word = WORDS[spoken][(n // 2) % 4]
        found.append(Case({"text": f"quixotry-{site}-{n} was {word} zymurgy"}, label, line=n + 2))
    return tuple(found)


def worker(
    path: Path, name: str = "clinic", count: int = 80, chosen: Study = STUDY, resources: Resources | None = None
) -> Worker:
    """Return a site's worker; its folder is ``path / name``."""
    folder = SiteFolder(path / name)
    folder.prepare(name.encode().ljust(32, b"."))
    found = cases(name, count)
    return make_worker(
        name=name, folder=folder, study=chosen, model=MODEL, cases=found, where=name, resources=resources
    )


def short_worker(path: Path, count: int, chosen: Study = STUDY) -> Worker:
    """Return a worker that was started although its cases are too few."""
    folder = SiteFolder(path / "short")
    folder.prepare(b"s" * 32)
    splits = split_cases(folder, chosen, cases("short", count))
    return Worker(name="short", folder=folder, study=chosen, model=MODEL, splits=splits)


def write_study(path: Path) -> Path:
    """Write the small study's file and return its path."""
    path.write_text(TEXT, encoding="utf-8")
    return path


def write_cases(path: Path, site: str, count: int = 80) -> Path:
    """Write a CSV of a site's cases and return its path."""
    lines = [f"{case.fields['text']},{case.answer}" for case in cases(site, count)]
    path.write_text("\n".join(["text,answer", *lines]) + "\n", encoding="utf-8")
    return path
