"""A site that keeps no rules: its worker sends whatever a test wants, and writes its ledger as it likes."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fedprompt.site.ledger import Ledger
from tests.scripted_sites import MODEL, STUDY

DIGEST = STUDY.digest(MODEL.info.digest)


@dataclass
class Eve:
    """A site that is enrolled and whose worker sends whatever the test puts into ``answer``."""

    ledger: Ledger
    answer: Callable[[bytes], bytes] = field(default=lambda task: b"")
    honest_ledger: bool = True

    def handle(self, header: object, task: bytes) -> tuple[dict[str, Any], bytes]:
        data = self.answer(task)
        written = data if self.honest_ledger else b"something else"
        entry = self.ledger.append(decision="sent", study=DIGEST, message={}, arrays={}, data=written)
        return {"head": entry.hash, "trail": []}, data


def packed(task: bytes, change: dict[str, Any], **arrays: np.ndarray) -> bytes:
    """Return a reply to ``task`` as a site that keeps no rules may make one."""
    from safetensors.numpy import load, save

    asked = json.loads(load(task)["task"].tobytes())
    body = {"verb": "describe", "task": asked["task"], "tune": 30, "validation": 20, "test": 20, "labels": [35, 35]}
    if asked["verb"] == "tune":
        body = {"verb": "tune", "task": asked["task"], "round": 1, "cases": 30, "loss": 0.5}
    text = json.dumps({**body, **change}).encode()
    return save({"reply": np.frombuffer(text, dtype=np.uint8), **arrays})
