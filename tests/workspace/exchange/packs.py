"""A small pack for the scripted model, and the files of it that a stranger may have changed."""

import json
import shutil
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fedprompt.adapting.calibration import Calibration
from fedprompt.adapting.settings import DEFAULT_SETTINGS
from fedprompt.exports.protocol import ExportContext, Exported, Reading
from fedprompt.models.scripted import NAME, ScriptedModel
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.study.schema import Answer, Soft, Study, TemplateSpec
from fedprompt.workspace.exchange.pack_files import write_pack
from fedprompt.workspace.exchange.pack_schema import Member, Pack
from fedprompt.workspace.results.worth import CurvePoint

__all__ = ["MODEL", "STUDY", "changed", "exported", "pack_made", "prompts_made", "rewritten", "write"]

INFO = ScriptedModel().info
MODEL = INFO.digest
LABELS = ("positive", "negative")
STUDY = Study(
    study="sentiment",
    model=NAME,
    fields=("text",),
    answer=Answer(type="choice", labels=LABELS),
    templates=(TemplateSpec(name="plain", text="Review: {text}\nSentiment:"),),
    soft=Soft(template="Review: {text}{soft}\nSentiment:", tokens=2, init="a clear feeling"),
)


def prompts_made() -> tuple[Prompt, ...]:
    """Return a template and two soft prompts."""
    (plain,) = STUDY.candidates()
    slot = STUDY.soft_template()
    vectors = [np.full((2, INFO.width), number, np.float32) for number in (0.5, -0.25)]
    return (Prompt(plain), *(Prompt(slot, SoftPrompt(one, MODEL)) for one in vectors))


def pack_made(**changes: Any) -> Pack:
    """Return the pack of these prompts."""
    plain, first, second = prompts_made()
    body: dict[str, Any] = {
        "study": STUDY.study,
        "digest": STUDY.digest(MODEL),
        "model": MODEL,
        "model_name": NAME,
        "fields": STUDY.fields,
        "labels": LABELS,
        "members": (
            Member(prompt=first.id, kind="federated", weight=0.5, sites=4),
            Member(prompt=second.id, kind="group", weight=0.25, mean=0.02, between=0.001, within=0.2, sites=3),
            Member(prompt=plain.id, kind="template", weight=0.25, mean=0.0, between=0.0, within=0.0, sites=4),
        ),
        "settings": DEFAULT_SETTINGS,
        "calibration": Calibration(temperature=1.5, bias=(0.1, -0.1)),
        "shares": (0.75, 0.25),
        "curve": (CurvePoint(n=16, sites=4, alone=0.6, shared=0.7, gain=0.1, low=0.05, high=0.15, needed=64),),
        "donors": 4,
        "source": "made up",
    }
    return Pack(**{**body, **changes})


def exported(prompts: tuple[Prompt, ...] = ()) -> list[Exported]:
    """Return prompts as a bundle takes them."""
    return [
        Exported(prompt, prompt.name, STUDY, Reading(dict(prompt.template.words or {}), "Read it.", "accuracy"))
        for prompt in prompts or prompts_made()
    ]


def write(path: Path, pack: Pack | None = None) -> Path:
    """Write a pack by itself."""
    return write_pack(path, pack or pack_made(), exported(), ExportContext(None, NAME, MODEL))


def changed(path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Change ``pack.json`` of a pack's folder; return the folder."""
    file = path / "pack.json"
    body = json.loads(file.read_text(encoding="utf-8"))
    change(body)
    file.write_text(json.dumps(body), encoding="utf-8")
    return path


def rewritten(path: Path, files: Mapping[str, bytes | None], *, packed: int = zipfile.ZIP_STORED) -> Path:
    """Write a zip anew with some of its files exchanged, added, or (None) left out; return the new one."""
    new = path.with_name(f"changed-{path.name}")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(new, "w", packed) as made:
        for name in old.namelist():
            content = files.get(name, old.read(name))
            if content is not None:
                made.writestr(name, content)
        for name, added in files.items():
            if name not in old.namelist() and added is not None:
                made.writestr(name, added)
    shutil.move(new, path)
    return path
