"""Which words a soft prompt's vectors are nearest to, by cosine, among the model's own input embeddings.

Reading aids only: a tuned vector need not mean what its nearest words mean (Khashabi et al. 2022, arXiv 2112.08348).
Runs in the job process, which has the model.
"""

from collections.abc import Mapping
from typing import Any

from fedprompt.errors import FedPromptError, ModelError
from fedprompt.models.vocabulary import Worded
from fedprompt.workspace.answers.readying import load_quick
from fedprompt.workspace.progress import Progress, Report, quiet
from fedprompt.workspace.workspace import Workspace

__all__ = ["run_nearest_words"]

COUNT = 5


def run_nearest_words(ws: Workspace, arguments: Mapping[str, Any], report: Report = quiet) -> dict[str, Any]:
    """Return ``{"tokens": [[{"word", "similarity"}]]}``, a list for each vector of a soft prompt, the nearest first.

    Args:
        ws: the workspace.
        arguments: ``prompt``, the id of a soft prompt.
        report: hears that the model is loaded.

    Raises:
        FedPromptError: the prompt has no vectors, or no study here names its model.
        ModelError, AssetError: the model cannot be loaded, or has no vocabulary to look in.
        BankError: no such prompt.
    """
    prompt = ws.bank.prompt(str(arguments["prompt"]))
    if prompt.soft is None:
        raise FedPromptError("a template has words of its own; choose a soft prompt to see the words nearest to it")
    names = [row.study.model for row in ws.bank.studies() if row.model_digest == prompt.soft.model]
    if not names:
        raise FedPromptError("no study in this bank names the model of this soft prompt, so its words are not known")
    report(Progress("load", f"loading {names[-1]}", 0.2))
    model = load_quick(ws, names[-1])
    if not isinstance(model, Worded):
        raise ModelError(f"{names[-1]} has no vocabulary to look in; choose a soft prompt of a language model")
    prompt.soft.check_model(model.info.digest, model.info.name, model.info.width)
    words = model.vocabulary
    found = words.nearest(prompt.soft.vectors, COUNT, "cosine", plain=False)
    return {
        "tokens": [
            [{"word": words.spelt([token]), "similarity": value} for token, value in zip(tokens, values, strict=True)]
            for tokens, values in zip(found.tokens.tolist(), found.likeness.tolist(), strict=True)
        ]
    }
