"""How an answer is read, and what a prompt scores when it is read that way, in sentences and as JSON."""

import json
from collections.abc import Collection, Mapping
from typing import Any

from fedprompt.exports.protocol import Exported, Reading
from fedprompt.models.nested import may_nest
from fedprompt.study.schema import Answer

__all__ = [
    "HOW_CHOICE",
    "HOW_GENERATE",
    "HOW_MIXED",
    "HOW_NESTED",
    "dropped_normalising",
    "how_to_read",
    "reading_body",
    "score_sentence",
]

HOW_CHOICE = (
    "Compare the label words as continuations. For each word, add up the log-likelihoods of its tokens after "
    "the prompt. Choose the label whose word has the highest sum. A softmax over the sums gives probabilities. "
    "Tokenise text and word together. Greedy decoding may print a word that is not a label's."
)
HOW_GENERATE = "Let the model continue the prompt greedily (no sampling). The generated text is the answer."
HOW_NESTED = (
    " Where the tokens of one word are the start of another's, subtract the longer words' probabilities from "
    "the shorter word's. The shorter word then counts only texts that do not continue to a longer word."
)
HOW_MIXED = (
    " Do this for each of the prompts. For each label, multiply the logarithm of each prompt's probability by "
    "that prompt's weight, and add the products."
)
_NORMALISED = {
    "tokens": " Divide each word's sum by the number of its tokens before you compare.",
    "characters": " Divide each word's sum by the number of its characters before you compare.",
}
_FREED = {
    "pmi": " Subtract from each word's sum its log-likelihood after the template with empty fields.",
    "contextual": " Divide each word's probability by its mean probability over neutral texts in the fields.",
}


def how_to_read(
    words: Collection[str], answer: Answer | None, bias: Mapping[str, float] | None = None, prompts: int = 1
) -> str:
    """Return the sentences that tell how an answer is read: among label words, or as text.

    Args:
        words: the label words, none where the answer is text.
        answer: the study's.
        bias: label -> what is added to its log-probability.
        prompts: how many prompts are asked side by side.
    """
    if words:
        nested = HOW_NESTED if may_nest(tuple(words)) else ""
        return (
            (HOW_CHOICE + nested)
            + ("" if answer is None else _NORMALISED.get(answer.normalise, "") + _FREED.get(answer.prior, ""))
            + (HOW_MIXED if prompts > 1 else "")
            + ("" if not bias else _with_bias(bias, prompts))
        )
    if answer is None:
        return HOW_GENERATE
    told = HOW_GENERATE
    if answer.temperature > 0:
        told = (
            f"Let the model continue the prompt, sampling at temperature {answer.temperature:g} and top_p "
            f"{answer.top_p:g} with seed {answer.seed}. The generated text is the answer. Another program "
            "generates a different text."
        )
    marks = ", ".join(json.dumps(mark, ensure_ascii=False) for mark in answer.stop)
    return (
        told
        + (f" It ends before the first of {marks}, if any" if marks else " It ends")
        + (f", or after {answer.max_tokens} tokens.")
    )


def _with_bias(bias: Mapping[str, float], prompts: int) -> str:
    numbers = ", ".join(f"{json.dumps(label, ensure_ascii=False)} {value:+.4f}" for label, value in bias.items())
    what = "each label's sum" if prompts > 1 else "the logarithm of each label's probability"
    return (
        f" Then add the label's bias to {what} ({numbers}), and choose the label with the highest result. A "
        "softmax over the results gives probabilities."
    )


def dropped_normalising(item: Exported) -> tuple[str, ...]:
    """Return what is lost where an export's own lines compare plain log-likelihoods and write greedily."""
    if item.reading.is_plain:
        return ()
    if not item.reading.words:
        return (
            f"'{item.name}': its study samples texts at temperature {item.reading.writing.temperature:g}, but "
            "the code of this export decodes greedily, so its score may differ there",
        )
    if item.reading.bias:
        return (
            f"'{item.name}': its description adds a bias to each label's log-probability, but the code of this "
            "export compares plain sums; add the biases yourself",
        )
    return (
        f"'{item.name}': its study normalises label likelihoods ({item.reading.normalise}, prior "
        f"{item.reading.prior}), but the code of this export compares plain sums, so its score may differ there",
    )


def reading_body(reading: Reading) -> dict[str, Any]:
    """Return label words, parser, decoding and the score reached that way, for a format's metadata."""
    return {
        "words": dict(reading.words),
        "parser": reading.parser,
        "decoding": dict(reading.decoding),
        "how": reading.how,
        **({"bias": dict(reading.bias)} if reading.bias else {}),
        "score": score_sentence(reading),
        "metric": reading.metric,
        "mean": reading.mean,
        "low": reading.low,
        "high": reading.high,
        "split": reading.split,
        "by_site": dict(sorted(reading.scores.items())),
        "cases": dict(sorted(reading.cases.items())),
    }


def score_sentence(reading: Reading) -> str:
    """Return what the prompt scores when its answers are read as described."""
    if reading.mean is None or not reading.scores:
        return "Its score is unknown."
    count = len(reading.scores)
    interval = ""
    if reading.low is not None and reading.high is not None:
        interval = f" (95 % interval {reading.low:.3f} to {reading.high:.3f})"
    where = "at one site" if count == 1 else f"as the unweighted mean over {count} sites"
    return f"Used that way, it has {reading.metric} {reading.mean:.3f}{interval} {where}, on the {reading.split} split."
