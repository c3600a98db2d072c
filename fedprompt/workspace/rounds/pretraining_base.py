"""What a study of pre-training begins with: a model's folder, its tokenizer, and what makes the weights."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedprompt.errors import StudyError
from fedprompt.models.hf.digest import tokenizer_digest
from fedprompt.models.registry import find_model_folder, settings_for
from fedprompt.study.pretraining import Pretraining
from fedprompt.study.schema import Study
from fedprompt.tuning.pretraining.building import FolderTokenizer, built, fresh_config, weights_in
from fedprompt.tuning.pretraining.flat import FlatModel
from fedprompt.workspace.answers.study_model import trained_digest

__all__ = ["PretrainingBase", "base_of", "spec_of"]


@dataclass(frozen=True)
class PretrainingBase:
    """``digest`` is what the study's digest holds: the model's, or its tokenizer's where weights are fresh."""

    folder: Path
    tokenizer: FolderTokenizer
    tokenizer_digest: str
    digest: str
    config: Any
    device: str
    threads: int

    def measured(self) -> tuple[Any, int]:
        """Return the model's configuration and how many weights it has; nothing is loaded.

        Raises:
            ModelError: it is not a causal language model.
        """
        return weights_in(self.folder, self.config)

    def build(self, seed: int) -> FlatModel:
        """Return the model; fresh weights follow from the seed.

        Raises:
            ModelError: it cannot be loaded.
        """
        import torch

        torch.set_num_threads(self.threads)
        return built(self.folder, self.config, seed, self.device)


def spec_of(study: Study) -> Pretraining:
    """Return a study's part about pre-training.

    Raises:
        StudyError: it has none.
    """
    if study.pretraining is None:
        raise StudyError(
            f"the study '{study.study}' has no 'pretraining:' part, so there is nothing to train; add "
            "'pretraining: {window: 256, steps: 50}'",
            code="no-pretraining-part",
        )
    return study.pretraining


def base_of(study: Study, home: Path) -> PretrainingBase:
    """Return what a study's training begins with. Weights are not loaded yet.

    Raises:
        StudyError: the study has no 'pretraining:' part.
        ModelError, AssetError: the model is not one of this machine, or has no weights or tokenizer.
    """
    spec, digest = spec_of(study), trained_digest(study, home)
    folder, machine = find_model_folder(study.model, home), settings_for(home)
    tokenizer, tokens = FolderTokenizer(folder), tokenizer_digest(folder)
    fresh = None
    if spec.scratch is not None:
        shape = spec.scratch.model_dump()
        fresh = fresh_config(shape, tokenizer.vocabulary, tokenizer.end, spec.window)
    return PretrainingBase(folder, tokenizer, tokens, digest, fresh, machine.device, machine.threads)
