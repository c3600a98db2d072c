"""evaluate: scores of any prompts on any split, soft ones with their vectors; or which of them the site would keep."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedprompt.errors import ReplyUntrue
from fedprompt.prompts.ids import content_id
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.study.score import Score, SplitName
from fedprompt.study.sharing import absent
from fedprompt.verbs.beside import Beside
from fedprompt.verbs.choosing import Choice, candidates, first_best
from fedprompt.verbs.forms import LISTS, SCORES, Allowed, Arrays, HiddenId, Parcel, PromptId, Seed, Task
from fedprompt.verbs.refusals import Refusal
from fedprompt.verbs.score import ScoreReply, check_scores, exact_of, report, told
from fedprompt.verbs.verb import Answer, Asks, Rehearsal, SiteSide, Terms, Verb, refused

__all__ = ["Evaluate", "EvaluateTask", "ask_choice", "ask_evaluate"]


class EvaluateTask(Task):
    """Score any prompts: templates by id, tuned ones by id with their values (array ``soft-N``, N their place).

    With ``choose``, the run's seed, the site tunes its own from the array ``start``, and nothing is scored but what it
    chooses, once a study: among the templates, the soft prompts (the common one, then its group's), its own, and
    mixtures as the accepted study names them. ``own`` is the hidden id of what it chose so before, to be scored with
    the others.
    """

    verb: Literal["evaluate"] = "evaluate"
    split: SplitName
    templates: Annotated[tuple[PromptId, ...], Field(max_length=1000)] = ()
    soft: Annotated[tuple[PromptId, ...], Field(max_length=1000)] = ()
    pairs: Annotated[tuple[tuple[PromptId, PromptId], ...], Field(max_length=10_000)] = ()
    choose: Annotated[Seed | None, Field(exclude_if=absent)] = None
    own: Annotated[HiddenId | None, Field(exclude_if=absent)] = None


def ask_evaluate(
    hub: Asks,
    site: str,
    prompts: Sequence[Prompt],
    split: SplitName,
    pairs: Sequence[tuple[str, str]] = (),
    own: str | None = None,
) -> ScoreReply:
    """Ask for scores of any prompts; templates go by id, tuned ones with their values.

    Args:
        own: the hidden id of what the site chose for itself, to be scored too.

    Raises:
        SiteRefused: the site refused; says why.
        FederationError: it could not be asked, or its answer is none.
    """
    soft = {prompt.id: prompt.tuned.values for prompt in prompts if prompt.tuned is not None}
    fields = {
        "split": split,
        "templates": tuple(prompt.id for prompt in prompts if prompt.tuned is None),
        "soft": tuple(soft),
        "pairs": tuple(pairs),
        "own": own,
    }
    named = [split, [prompt.id for prompt in prompts], [*map(list, pairs)], *([] if own is None else [own])]
    arrays = {f"soft-{place}": values for place, values in enumerate(soft.values())}
    reply = hub.ask(site, EvaluateTask, fields, arrays, named=named).message
    assert isinstance(reply, ScoreReply)
    return reply


def ask_choice(
    hub: Asks, site: str, templates: Sequence[str], soft: Sequence[Prompt], start: NDArray[np.float32], seed: int
) -> tuple[Choice, Score]:
    """Ask what a site would keep for itself, and how good it is there on validation.

    Args:
        templates: ids of the study's templates.
        soft: the common prompt, then its group's if it has one.
        start: [tokens, width] float32, what the site's own prompt is tuned from.
        seed: the run's.

    Raises:
        SiteRefused: the site refused; says why.
        FederationError: it could not be asked, or its answer is none.
    """
    sent = {prompt.id: prompt.soft.vectors for prompt in soft if prompt.soft is not None}
    fields = {"split": "validation", "templates": tuple(templates), "soft": tuple(sent), "choose": seed}
    arrays = {"start": start, **{f"soft-{place}": vectors for place, vectors in enumerate(sent.values())}}
    named = ["choose", seed, [*templates], [*sent], content_id("v1", start.tobytes())]
    reply = hub.ask(site, EvaluateTask, fields, arrays, named=named).message
    assert isinstance(reply, ScoreReply) and reply.choice is not None
    return reply.choice, reply.scores[0]


class Evaluate(Verb):
    """Sums over a split, never a value of a single case; looks at test are counted."""

    name = "evaluate"
    task = EvaluateTask
    reply = ScoreReply
    task_bounds = LISTS
    reply_bounds = SCORES
    flat = True
    unrehearsed = "evaluate on test: only nominated prompts can be scored on test cases"

    def task_arrays(self, task: EvaluateTask) -> Allowed:
        """Return the soft prompts, and where tuning starts if the site is to choose."""
        start: dict[str, type[np.generic]] = {} if task.choose is None else {"start": np.float32}
        return {**start, **{f"soft-{place}": np.float32 for place in range(len(task.soft))}}

    def exact(self, task: EvaluateTask) -> Sequence[tuple[SplitName, str]]:
        """Each prompt, and each pair; of a choice, what is chosen and its score."""
        if task.choose is not None:
            return [("validation", f"choice {task.study}"), ("validation", f"chosen {task.study}")]  # once a study
        own = [] if task.own is None else [task.own]
        return exact_of(task.split, [*task.templates, *task.soft, *own], task.pairs)

    def answer(self, site: SiteSide, task: EvaluateTask, arrays: Arrays, question: str) -> Answer:
        """Score the prompts, or choose."""
        if any(prompt not in site.templates for prompt in task.templates):
            return refused(task, "unknown-prompt")
        if site.short(task.split):
            return refused(task, "too-few-cases")
        prompts = [site.templates[prompt] for prompt in task.templates]
        for place, claimed in enumerate(task.soft):
            prompt = site.brought(arrays[f"soft-{place}"])
            if prompt is None or prompt.id != claimed:
                return refused(task, "bad-soft-prompt")
            prompts.append(prompt)
        if task.choose is not None:
            return _chosen(site, task, prompts, site.soft(arrays["start"]), question)
        kept = None if task.own is None else site.own(task.own)
        if task.own is not None and kept is None:
            return refused(task, "unknown-prompt")
        # The hub knows what the site keeps for itself by a hidden id alone, so that is what its answer says.
        hidden = {} if kept is None else {task.own: Prompt(site.study.soft_template(), kept)}
        named: dict[str | None, Prompt] = {**{prompt.id: prompt for prompt in prompts}, **hidden}
        if not named or any(p not in named for pair in task.pairs for p in pair):
            return refused(task, "unknown-prompt")
        found = site.run(list(named.values()), task.split)
        runs = {str(name): found[prompt.id] for name, prompt in named.items()}
        return report(site, task, runs, task.pairs, task.split)

    def failed(self, site: SiteSide, task: EvaluateTask) -> Beside:
        """A choice that failed counts as made."""
        return {} if task.choose is None else site.choosing()

    def check(self, terms: Terms, asked: Parcel[EvaluateTask], given: Parcel[ScoreReply]) -> None:
        """Hold the scores, or the choice, against what was asked for."""
        task, reply = asked.message, given.message
        if task.choose is None:
            own = set() if task.own is None else {task.own}
            check_scores(terms, reply, {*task.templates, *task.soft, *own}, task.split, task.pairs)
            return
        choice, personal = reply.choice, None if terms.study is None else terms.study.rounds.personal
        known = {"manual": {*task.templates}, "global": {*task.soft[:1]}, "group": {*task.soft[1:]}}
        if (
            choice is None
            or (choice.prompt not in known[choice.kind] if choice.kind in known else choice.prompt[:3] != "h1:")
            or (choice.share is not None) != choice.kind.startswith("mixture")
            or (choice.kind == "mixture-group" and len(task.soft) < 2)
            or (personal is not None and choice.share is not None and choice.share not in personal.mixtures)
        ):
            raise ReplyUntrue(
                f"site '{terms.site}' answered about a choice that the hub did not send", code="not-given"
            )
        check_scores(terms, reply, {choice.prompt}, "validation", ())

    def sentence(self, message: Mapping[str, Any], arrays: Mapping[str, Sequence[int]]) -> str:
        """Tell which prompts were scored, or that one was chosen."""
        return told(message)

    def rehearse(self, rehearsal: Rehearsal) -> bool:
        """Score what tuning made, on validation."""
        if rehearsal.tuned is None:
            return False
        prompt = Prompt(rehearsal.study.tuned_template(), rehearsal.tuned)
        ask_evaluate(rehearsal.asks, rehearsal.site, [prompt], "validation")
        return True


def _chosen(
    site: SiteSide, task: EvaluateTask, given: Sequence[Prompt], start: SoftPrompt | None, question: str
) -> Answer:
    """Answer which of the prompts, the site's own and mixtures is best here, and how good; nothing else."""
    personal, spec = site.study.rounds.personal, site.study.soft
    soft = [prompt for prompt in given if prompt.soft is not None]
    if personal is None or task.split != "validation" or task.pairs or task.own is not None:
        return refused(task, "not-allowed")
    if site.short("tune"):
        return refused(task, "too-few-cases")
    if not 1 <= len(soft) <= 2 or spec is None or start is None or start.tokens != spec.tokens:
        return refused(task, "bad-soft-prompt")
    if site.has_chosen:
        return refused(task, "round-answered")

    def score(prompt: Prompt) -> float:
        found = site.scored(site.run([prompt], "validation")[prompt.id], "validation")
        return found.total / found.n if found.n else -1.0

    own = site.tuned_alone(start, question, score)
    templates = [prompt for prompt in given if prompt.soft is None]
    asked = candidates(templates, soft[0], soft[1] if len(soft) > 1 else None, own, personal.mixtures)
    chosen = first_best({one: score(one.prompt) for one in asked})
    name = site.keep_own(chosen.prompt) if chosen.hidden else chosen.prompt.id
    runs = {name: site.run([chosen.prompt], "validation")[chosen.prompt.id]}
    answer = report(site, task, runs, (), "validation", Choice(kind=chosen.kind, prompt=name, share=chosen.share))
    return answer if isinstance(answer.reply, Refusal) else replace(answer, beside={**answer.beside, **site.choosing()})
