"""A prompt of the bank as a variant: on the model that it was scored with, its answers got as its study gets them."""

from typing import Any

from fedprompt.workspace.answers.answering import model_name_of
from fedprompt.workspace.answers.variants import Variant
from fedprompt.workspace.workspace import Workspace

__all__ = ["bank_variant"]

MOST_TOKENS, MOST_STOPS, LONGEST_STOP = 1024, 16, 80  # a variant's bounds, which a study's may pass


def bank_variant(ws: Workspace, prompt: str, name: str) -> Variant:
    """Return the variant that runs a prompt of the bank; a choice among its labels, or text where it has none.

    Raises:
        BankError: the bank has no such prompt.
    """
    found, row = ws.bank.prompt(prompt), ws.bank.prompt_row(prompt)
    study = None if row.study is None else ws.bank.study(row.study).study
    labels = tuple(found.template.words or {})
    writing: dict[str, Any] = {"generate": not labels}
    if study is not None and labels:
        writing |= {"normalise": study.answer.normalise, "prior": study.answer.prior}
    elif study is not None:
        answer = study.answer
        writing |= {
            "max_tokens": min(answer.max_tokens, MOST_TOKENS),
            "stop": tuple(stop[:LONGEST_STOP] for stop in answer.stop[:MOST_STOPS]),
            "temperature": answer.temperature,
            "top_p": answer.top_p,
            "seed": answer.seed,
        }
    return Variant(
        name=name[:80],
        template=found.template.canonical(),
        labels=labels,
        soft=found.id if found.soft is not None else None,
        model=model_name_of(ws, found, study),
        **writing,
    )
