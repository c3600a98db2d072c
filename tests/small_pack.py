"""A pack of the small study on the scripted model: three soft prompts and two templates, as a zip."""

from pathlib import Path
from typing import Any

import numpy as np

from fedprompt.adapting.settings import DEFAULT_SETTINGS
from fedprompt.exports.protocol import ExportContext, Exported, Reading
from fedprompt.prompts.head import Head
from fedprompt.prompts.prompt import Prompt
from fedprompt.verbs.head import ENCODER_DIGEST
from fedprompt.workspace.exchange.pack import Member, MemberKind, Pack, write_pack
from tests.scripted_sites import LABELS, MODEL, STUDY

__all__ = ["MEMBERS", "small_head", "small_pack", "write_small_pack"]

TEXTS = ("a clearly good day", "bad or good", "the feeling is")
MEMBERS = (
    *(Prompt(STUDY.soft_template(), MODEL.text_init(text, 3)) for text in TEXTS),
    *(Prompt(one) for one in STUDY.candidates() if one.demonstrations is None),
)
KINDS: tuple[MemberKind, ...] = ("federated", "donor", "donor", "template", "template")


def small_pack(**changes: Any) -> Pack:
    """Return what the pack says."""
    members = tuple(
        Member(prompt=prompt.id, kind=kind, weight=0.2, sites=1) for prompt, kind in zip(MEMBERS, KINDS, strict=True)
    )
    body: dict[str, Any] = {
        "study": STUDY.study,
        "digest": STUDY.digest(MODEL.info.digest),
        "model": MODEL.info.digest,
        "model_name": "scripted",
        "fields": STUDY.fields,
        "labels": LABELS,
        "members": members,
        "settings": DEFAULT_SETTINGS,
        "donors": 3,
    }
    return Pack(**{**body, **changes})


def write_small_pack(path: Path, **changes: Any) -> Path:
    """Write it and return its path."""
    items = [Exported(one, one.name, STUDY, Reading(dict(one.template.words or {}), "", "accuracy")) for one in MEMBERS]
    return write_pack(path, small_pack(**changes), items, ExportContext(None, "scripted", MODEL.info.digest))


def small_head(number: float = 1.0) -> Head:
    """Return a head along three of five directions."""
    directions = np.vstack([np.zeros(5), np.eye(5)[:3]]).astype(np.float32)
    weights = number * np.array([[1, 0, 0.5], [-1, 0, 0]], np.float32)
    return Head(("text",), LABELS, ENCODER_DIGEST, weights, directions)
