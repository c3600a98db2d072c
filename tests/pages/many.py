"""Prompts of a second study, as many as a test wants, scored at two sites."""

from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.template import Template
from fedprompt.study.schema import Answer, Study, TemplateSpec
from fedprompt.study.score import Score
from fedprompt.workspace.workspace import Workspace

__all__ = ["MODEL", "add_many"]

MODEL = "sha256:" + "b" * 64


def add_many(
    ws: Workspace, count: int, name: str = "triage", *, text: str = "Note: {text}\nAnswer:"
) -> tuple[str, list[str]]:
    """Record a study with prompts ``try 0``, ``try 1``, ... of which a later one is better; return digest and ids.

    Another ``text`` of its template makes another revision of the study.
    """
    study = Study(
        study=name,
        fields=("text",),
        answer=Answer(type="choice", labels=("positive", "negative")),
        templates=(TemplateSpec(name="plain", text=text),),
    )
    digest = study.digest(MODEL)
    ws.bank.record_study(study, digest, MODEL)
    prompts = [Prompt(Template(f"try {number}", text=f"Way {number} of {{text}}:")) for number in range(count)]
    ids = list(ws.bank.record_prompts([(prompt, {}) for prompt in prompts], study=digest, origin="study"))
    run = f"{name} scored, {digest}"
    ws.bank.start_run(run, kind="score", study=digest, settings={})
    for site in ("clinic", "office"):
        ws.bank.record_scores(run, site, [_score(id, place + 1, count) for place, id in enumerate(ids)])
    return digest, ids


def _score(prompt: str, right: int, of: int) -> Score:
    n = max(of + 2, 40)
    return Score(
        prompt=prompt,
        split="validation",
        metric="accuracy",
        n=n,
        total=right,
        squares=right,
        groups=n,
        group_squares=right * (n - right) / n,
    )
