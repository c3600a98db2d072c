"""A site's own prompt: tuned here from the study's start, and kept here if the site chose it (``verbs.choosing``).

It takes as many steps as the federation took, and keeps the round that was best. Its own prompt and mixtures with it
never leave the site: only which was chosen, and its score.
"""

import hmac
import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import DataError
from fedprompt.models.protocols import SoftObjective
from fedprompt.private_file import write_private
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.stopping import NEVER, StopToken
from fedprompt.study.schema import Study
from fedprompt.tuning.checkpoint import Checkpoint
from fedprompt.tuning.settings import settings_of
from fedprompt.tuning.steps import tune_tensors
from fedprompt.verbs.choosing import first_best

__all__ = ["OwnPrompts", "hidden_id", "tuned_alone"]


def tuned_alone(
    objective: SoftObjective,
    start: SoftPrompt,
    study: Study,
    rng: Callable[[int], np.random.Generator],
    score: Callable[[Prompt], float],
    folder: Path,
    question: str,
    stop: StopToken = NEVER,
) -> Prompt:
    """Return the best on validation of the prompts that rounds of one site would make, the earliest of equals.

    Args:
        objective: the site's tune cases.
        start: what the federation started from.
        study: how to tune.
        rng: makes a round's generator.
        score: judges a prompt on validation.
        folder: the site's, where each round's state is kept until all are done; a process that ended goes on from it.
        question: what is asked, so that the state of another task is not gone on with.
        stop: looked at before each step.
    """
    template = study.soft_template()
    kept = [Checkpoint(folder / f"alone-{n}.safetensors", f"{question} alone {n}") for n in _numbers(study)]
    found: dict[Prompt, float] = {}
    soft = start
    for number, checkpoint in zip(_numbers(study), kept, strict=True):
        settings = settings_of(study, number)
        soft = tune_tensors(objective, soft, settings, rng=rng(number), checkpoint=checkpoint, stop=stop).end
        prompt = Prompt(template, soft)
        found[prompt] = score(prompt)
    for checkpoint in kept:
        checkpoint.remove()
    return first_best(found)


def _numbers(study: Study) -> range:
    return range(1, study.rounds.count + 1)


def hidden_id(key: bytes, prompt: Prompt) -> str:
    """Return the id under which the hub hears of a prompt that it does not know: nobody without the key can tell."""
    return "h1:" + hmac.new(key, b"personal " + prompt.id.encode(), sha256).hexdigest()[:32]


class OwnPrompts:
    """What a site chose and the hub does not have, one file a study (mode 0600) in the site's folder."""

    def __init__(self, folder: Path, study: str) -> None:
        self._path = folder / f"personal-{study.replace(':', '-')}.safetensors"

    def keep(self, name: str, prompt: Prompt) -> None:
        """Keep the chosen prompt under the id that the hub hears; the last one is what is kept.

        Raises:
            DataError: it cannot be written.
        """
        from safetensors.numpy import save

        assert prompt.soft is not None
        of = json.dumps({"id": name, "model": prompt.soft.model}).encode()
        data = save({"vectors": np.array(prompt.soft.vectors), "of": np.frombuffer(of, dtype=np.uint8)})
        try:
            write_private(self._path, data)
        except OSError as error:
            raise DataError(
                f"{self._path}: the chosen prompt cannot be saved ({error.strerror})", code="cannot-write"
            ) from error

    def find(self, name: str) -> SoftPrompt | None:
        """Return what was kept under this id, None if nothing or something else was.

        Raises:
            DataError: the file is damaged.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            found: dict[str, NDArray[np.float32]] = load(self._path.read_bytes())
            of = json.loads(found["of"].tobytes())
            return SoftPrompt(found["vectors"], of["model"]) if hmac.compare_digest(of["id"], name) else None
        except FileNotFoundError:
            return None
        except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
            raise DataError(
                f"{self._path}: the chosen prompt cannot be read; it is recomputed on the next request",
                code="cannot-read",
            ) from error
