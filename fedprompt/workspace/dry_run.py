"""What a scoring run would take, before it is spent: calls, tokens and money on a chat model, else seconds.

No call is made and nothing is kept. A chat model's tokens are estimated from bytes, its answers counted at their
longest; a local model runs a few cases, and the others are taken to cost the same.
"""

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fedprompt.evaluation.chat_runner import conversations
from fedprompt.evaluation.runner import run_prompts
from fedprompt.evaluation.scorers import complete_scorers
from fedprompt.models.chat import Usage
from fedprompt.models.chat_choice import distinct
from fedprompt.models.chat_config import chat_settings, is_chat, read_machine
from fedprompt.models.chat_cost import estimated_tokens
from fedprompt.models.chat_langchain import chat_info
from fedprompt.models.registry import load
from fedprompt.prompts.prompt import Prompt
from fedprompt.study.files import read_study
from fedprompt.study.schema import ScorerSpec, Study
from fedprompt.study.score import Method, SplitName
from fedprompt.workspace.chat_scoring import priced
from fedprompt.workspace.own_cases import OwnCases, own_cases
from fedprompt.workspace.progress import Progress, Report, quiet
from fedprompt.workspace.workspace import Workspace

__all__ = ["SAMPLE", "dry_run"]

SAMPLE = 8  # cases that a local model runs
PROBE_TOKENS = 20


def dry_run(
    ws: Workspace,
    study: Path,
    data: Path,
    *,
    mapping: Mapping[str, str] | None = None,
    group: str | None = None,
    split: SplitName = "validation",
    model: str | None = None,
    report: Report = quiet,
) -> dict[str, Any]:
    """Return what ``score`` with the same arguments would take.

    Raises:
        StudyError, DataError, ModelError: as ``score`` would.
    """
    parsed = read_study(study, complete_scorers)
    if model is not None:
        parsed = parsed.model_copy(update={"model": model})
    own = own_cases(ws, parsed, study, data, mapping, group, split)
    prompts = [Prompt(template) for template in parsed.candidates()]
    found = _chat(ws, parsed, own, prompts) if is_chat(parsed.model) else _local(ws, parsed, own, prompts, report)
    if judges := sum(spec.name == "judge" for spec in parsed.answer.scorers):
        asked = judges * len(own.chosen) * len(prompts)
        found["notes"].append(f"the judge's {asked:,} calls are not counted here: they read what is yet to be written")
    return {
        "dry_run": True,
        "study": parsed.study,
        "model": parsed.model,
        "split": split,
        "templates": len(prompts),
        "cases": len(own.chosen),
        **found,
    }


def _chat(ws: Workspace, study: Study, own: OwnCases, prompts: list[Prompt]) -> dict[str, Any]:
    machine = read_machine(ws.home.path)
    settings = chat_settings(study.model, machine)
    machine.permit(settings)
    info = chat_info(study.model, settings)
    method, probes = _method(study, prompts, info.logprobs, settings.method)
    known: list[bool] = []
    for way in dict.fromkeys((method, "likelihood" if probes else method)):  # an earlier run may have found the cheaper
        every = conversations(prompts, own.chosen, study.answer, own.splits.tune, way)
        asked, how = [one for one, _ in every], [options for _, options in every]
        there = own.folder.chat_replies.known(info, settings.url(), asked, how)
        if not known or sum(there) > sum(known):
            known, whole = there, every
    sent = [one for one, there in zip(whole, known, strict=True) if not there]
    probes = probes if sent else 0
    tokens = sum(estimated_tokens(conversation) for conversation, _ in sent) + probes * PROBE_TOKENS
    written = sum(options.max_tokens for _, options in sent) + probes
    notes = ["input tokens are estimated from bytes, and answers counted at their longest"]
    if cached := sum(known):
        notes.append(f"{cached:,} answers are known from an earlier run and cost nothing; --no-cache asks them anew")
    if method is not None and probes:
        notes.append("the first call asks whether the server gives likelihoods; this is the cost if it does not")
    cost = None if settings.price is None else settings.price.of(Usage(tokens, written))
    if cost is None:
        notes.append("the cost is not known: models.toml names no price for this model")
    rate = settings.requests_per_second
    calls = len(sent) + probes
    return {
        "calls": calls,
        "cached": cached,
        "tokens": tokens + written,
        "input_tokens": tokens,
        "output_tokens": written,
        "cost": priced(cost),
        "remote": info.remote,
        "seconds": None if rate is None else round(calls / rate, 1),
        "notes": notes,
    }


def _method(study: Study, prompts: list[Prompt], logprobs: bool, wanted: Method | None) -> tuple[Method | None, int]:
    """Return the dearest method that a run may take, and how many calls it takes to find the method."""
    if study.answer.type != "choice":
        return None, 0
    apart = all(distinct(list((prompt.template.words or {}).values())) for prompt in prompts)
    if wanted is not None or not apart or not logprobs:
        chosen: Method = wanted or "constrained"
        return chosen, int(chosen == "likelihood")
    return "constrained", 1


def _local(ws: Workspace, study: Study, own: OwnCases, prompts: list[Prompt], report: Report) -> dict[str, Any]:
    report(Progress("prepare", f"loading {study.model}"))
    model = load(study.model, ws.home.path)
    sample = own.chosen[:SAMPLE]
    report(Progress("sample", f"running {len(sample)} of {len(own.chosen)} cases"))
    began = time.perf_counter()
    answer = study.answer
    if answer.type == "generate":  # texts are written, and nobody is asked to judge them
        answer = answer.model_copy(update={"scorers": (ScorerSpec(name="exact"),)})
    _, cost = run_prompts(model, prompts, sample, answer, own.splits.tune)
    seconds = time.perf_counter() - began
    times = len(own.chosen) / len(sample)
    return {
        "calls": 0,
        "tokens": math.ceil(cost.tokens * times),
        "input_tokens": None,
        "output_tokens": None,
        "cost": None,
        "remote": False,
        "seconds": round(seconds * times, 1),
        "notes": [f"estimated from {len(sample)} cases; more cases share more, so the run is likely shorter"],
    }
