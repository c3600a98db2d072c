"""A federated pre-training of two sites that takes a second: bytes as tokens, a few thousand weights."""

from collections.abc import Mapping
from pathlib import Path

from fedprompt.site.folder import SiteFolder
from fedprompt.workspace.home import find_home
from fedprompt.workspace.rounds.pretraining import pretrain
from fedprompt.workspace.rounds.pretraining_result import PretrainResult
from fedprompt.workspace.workspace import open_workspace
from tests.corpora.words import sentences
from tests.models.tiny import tokenizer

STUDY = """study: small
model: {model}
pretraining:
  {{window: 16, batch: 2, steps: {steps}, lr: 0.01, held_out: 0.3, looked_at: 4, scratch: {scratch}}}
rounds: {{count: 2, update: {update}, strategy: {{name: {strategy}}}}}
privacy: {{min_cases: 2}}
"""
SCRATCH = "{layers: 1, width: 16, heads: 2, feed_forward: 32}"


def write_study(folder: Path, update: str = "float32", strategy: str = "diloco", steps: int = 2) -> Path:
    """Write the study and its model's folder, which holds a tokenizer alone; return the study's file."""
    model = folder / "model"
    if not model.exists():
        tokenizer().save_pretrained(model)
    study = folder / "study.yaml"
    study.write_text(
        STUDY.format(model=model, update=update, strategy=strategy, steps=steps, scratch=SCRATCH), encoding="utf-8"
    )
    return study


def write_texts(folder: Path, sites: tuple[str, ...] = ("north", "south"), texts: int = 12) -> dict[str, list[Path]]:
    """Write each site's folder of texts."""
    for place, site in enumerate(sites):
        (folder / site).mkdir(parents=True, exist_ok=True)
        for number, text in enumerate(sentences(texts, place + 20, 12)):
            (folder / site / f"{number}.txt").write_text(text)
    return {site: [folder / site] for site in sites}


def run(home: Path, study: Path, sites: Mapping[str, list[Path]], **more: object) -> PretrainResult:
    """Run it in a home whose sites' keys are known, so that two homes give the same numbers."""
    home.mkdir(exist_ok=True)
    (home / "machine.json").write_text('{"dtype": "float32", "threads": 1, "device": "cpu"}')
    for place, site in enumerate(sorted(sites)):
        SiteFolder(home / "sites" / site).prepare(bytes([place + 1]) * 32)
    with open_workspace(find_home(home).path) as ws:
        return pretrain(ws, study, sites, **more)  # type: ignore[arg-type]
