"""A study's labels, read with its model's own tokenizer before anything is run."""

from pathlib import Path

from fedprompt.evaluation.runs.label_pairs import LabelPair, label_pairs
from fedprompt.models.registry import word_reader
from fedprompt.study.schema import Study
from fedprompt.workspace.home import find_home

__all__ = ["labels_checked"]


def labels_checked(study: Study, home: Path | None = None) -> tuple[LabelPair, ...] | None:
    """Return the labels that begin one another; None where the model's tokenizer is not on this machine.

    Raises:
        ModelError: the tokenizer cannot tell two labels apart, or has no format for a template's messages.
    """
    if study.answer.type != "choice":
        return ()
    reader = word_reader(study.model, find_home(home).path)
    return None if reader is None else label_pairs(reader, study)
