"""What a site keeps for itself: the best on its own validation cases among common, its own and mixed prompts.

Its own prompt is tuned here, from the study's start, by as many steps as the federation took, and the round kept that
was best. A mixture is ``share x own + (1 - share) x common``, as in APFL (Deng, Kamani and Mahdavi 2020, arXiv
2003.13461, equation 3), with shares to choose among in place of one that is learned. Since the best of the study's
templates is among the candidates, what is chosen is never worse than it on validation. Its own prompt and mixtures
never leave the site: only which was chosen, and its score.
"""

import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fedprompt.errors import DataError
from fedprompt.models.protocols import SoftObjective
from fedprompt.private_file import write_private
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.study.messages import ChoiceKind
from fedprompt.study.schema import Study
from fedprompt.tuning.checkpoint import Checkpoint
from fedprompt.tuning.settings import settings_of
from fedprompt.tuning.soft import tune_soft

__all__ = ["Candidate", "OwnPrompts", "candidates", "first_best", "hidden_id", "tuned_alone"]

K = TypeVar("K")


@dataclass(frozen=True)
class Candidate:
    """A prompt that a site may keep; ``share`` is its own prompt's part of a mixture, None of all others."""

    kind: ChoiceKind
    prompt: Prompt
    share: float | None = None

    @property
    def hidden(self) -> bool:
        """Whether the hub does not know it."""
        return self.kind == "own" or self.share is not None


def first_best(values: Mapping[K, float]) -> K:
    """Return the key of the highest value, the first of equals."""
    return max(values, key=lambda key: values[key])


def candidates(
    template: Sequence[Prompt], common: Prompt, group: Prompt | None, own: Prompt, shares: Sequence[float]
) -> tuple[Candidate, ...]:
    """Return what a site chooses among, in the order in which the first of equals is taken."""
    found = [Candidate("own", own)]
    known: list[tuple[ChoiceKind, ChoiceKind, Prompt]] = [("global", "mixture-global", common)]
    if group is not None and group.id != common.id:
        known.insert(0, ("group", "mixture-group", group))
    found += [Candidate(kind, prompt) for kind, _, prompt in known]
    found += [Candidate(kind, mixed(own, prompt, share), share) for _, kind, prompt in known for share in shares]
    return (*found, *(Candidate("manual", prompt) for prompt in template))


def mixed(own: Prompt, common: Prompt, share: float) -> Prompt:
    """Return ``share`` of one soft prompt and the rest of another, vector by vector."""
    assert own.soft is not None and common.soft is not None
    vectors = share * own.soft.vectors.astype(np.float64) + (1 - share) * common.soft.vectors
    return Prompt(common.template, SoftPrompt(vectors.astype(np.float32), common.soft.model))


def tuned_alone(
    objective: SoftObjective,
    start: SoftPrompt,
    study: Study,
    rng: Callable[[int], np.random.Generator],
    score: Callable[[Prompt], float],
    folder: Path,
    question: str,
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
    """
    template = study.soft_template()
    kept = [Checkpoint(folder / f"alone-{n}.safetensors", f"{question} alone {n}") for n in _numbers(study)]
    found: dict[Prompt, float] = {}
    soft = start
    for number, checkpoint in zip(_numbers(study), kept, strict=True):
        settings = settings_of(study, number)
        soft = tune_soft(objective, soft, settings, rng=rng(number), checkpoint=checkpoint).soft
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
            raise DataError(f"{self._path}: the chosen prompt cannot be kept ({error.strerror})") from error

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
                f"{self._path}: the chosen prompt cannot be read; it is made anew when asked for"
            ) from error
