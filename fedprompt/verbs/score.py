"""score: the study's templates on validation, each compared with a reference."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from fedprompt.errors import ReplyUntrue
from fedprompt.privacy.coarse import (
    coarse_comparison,
    coarse_score,
    rounded_comparison,
    rounded_score,
    rounded_up,
)
from fedprompt.privacy.noised_counts import noised_comparison, noised_score
from fedprompt.prompts.prompt import Prompt
from fedprompt.study.contradictions import Expected, comparison_fault, fault_among, score_fault
from fedprompt.study.score import Comparison, Count, Score, SplitName
from fedprompt.study.sharing import absent
from fedprompt.verbs.choosing import Choice, choice_words
from fedprompt.verbs.expected import expected
from fedprompt.verbs.forms import LISTS, SCORES, Arrays, Parcel, PromptId, Reply, Task
from fedprompt.verbs.sentences import counted, shortened
from fedprompt.verbs.verb import Answer, Asks, Rehearsal, SiteSide, Terms, Verb, refused

if TYPE_CHECKING:
    from fedprompt.evaluation.runs.runner import PromptRun

__all__ = ["ScoreReply", "ScoreTask", "ScoreTemplates", "ask_score", "check_scores", "exact_of", "report", "told"]


class ScoreTask(Task):
    """Score templates of the accepted study on validation."""

    verb: Literal["score"] = "score"
    prompts: Annotated[tuple[PromptId, ...], Field(min_length=1, max_length=1000)]
    reference: PromptId | None = None


class ScoreReply(Reply):
    """Scores and paired comparisons, and what the site chose if it was to choose."""

    verb: Literal["score", "evaluate"]
    scores: Annotated[tuple[Score, ...], Field(max_length=2000)]
    comparisons: Annotated[tuple[Comparison, ...], Field(max_length=10_000)] = ()
    looks: Count = 0
    clipped: Count = 0
    choice: Annotated[Choice | None, Field(exclude_if=absent)] = None


def ask_score(hub: Asks, site: str, prompts: Sequence[str], reference: str | None = None) -> ScoreReply:
    """Ask for validation scores of templates of the study.

    Raises:
        SiteRefused: the site refused; says why.
        FederationError: it could not be asked, or its answer is none.
    """
    fields = {"prompts": tuple(prompts), "reference": reference}
    reply = hub.ask(site, ScoreTask, fields, named=[[*prompts], reference]).message
    assert isinstance(reply, ScoreReply)
    return reply


class ScoreTemplates(Verb):
    """Sums over validation, never a value of a single case."""

    name = "score"
    task = ScoreTask
    reply = ScoreReply
    task_bounds = LISTS
    reply_bounds = SCORES

    def exact(self, task: ScoreTask) -> Sequence[tuple[SplitName, str]]:
        """Each prompt, and each pair."""
        return exact_of("validation", _wanted(task), _pairs(task))

    def answer(self, site: SiteSide, task: ScoreTask, arrays: Arrays, question: str) -> Answer:
        """Score the templates and compare them with the reference."""
        wanted = _wanted(task)
        if any(prompt not in site.templates for prompt in wanted):
            return refused(task, "unknown-prompt")
        if site.short("validation"):
            return refused(task, "too-few-cases")
        runs = site.run([site.templates[prompt] for prompt in wanted], "validation")
        return report(site, task, runs, _pairs(task), "validation")

    def check(self, terms: Terms, asked: Parcel[ScoreTask], given: Parcel[ScoreReply]) -> None:
        """Hold the scores against what was asked for."""
        check_scores(terms, given.message, {*_wanted(asked.message)}, "validation", _pairs(asked.message))

    def sentence(self, message: Mapping[str, Any], arrays: Mapping[str, Sequence[int]]) -> str:
        """Tell which prompts were scored, and on how many cases."""
        return told(message)

    def rehearse(self, rehearsal: Rehearsal) -> bool:
        """Score all of the study's templates."""
        ask_score(rehearsal.asks, rehearsal.site, [Prompt(one).id for one in rehearsal.study.candidates()])
        return True


def _wanted(task: ScoreTask) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*task.prompts, *([] if task.reference is None else [task.reference])]))


def _pairs(task: ScoreTask) -> list[tuple[str, str]]:
    reference = task.reference
    return [] if reference is None else [(prompt, reference) for prompt in task.prompts if prompt != reference]


def exact_of(split: SplitName, prompts: Sequence[str], pairs: Sequence[tuple[str, str]]) -> list[tuple[SplitName, str]]:
    """Return the exact questions of scoring some prompts and comparing some pairs, whichever way round."""
    return [*((split, prompt) for prompt in prompts), *((split, " ".join(sorted(pair))) for pair in pairs)]


def report(
    site: SiteSide,
    task: Task,
    runs: "Mapping[str, PromptRun]",
    pairs: Sequence[tuple[str, str]],
    split: SplitName,
    choice: Choice | None = None,
) -> Answer:
    """Return the sums of some runs, by the ids that the hub knows, and of pairs of them."""
    from fedprompt.evaluation.runs.runner import compare_runs

    cases = site.splits.cases(split)
    graded, least = site.study.answer.type != "choice", site.min_cell
    nearest, brought = site.nearest(split), {name for name, run in runs.items() if run.prompt.tuned is not None}

    private = site.private if site.private is not None and site.private.plan.covers(split) else None

    def told_score(name: str) -> Score:
        found = site.scored(runs[name], split).model_copy(update={"prompt": name})
        if private is not None:
            (right,) = private.counts(split, name, [round(found.total)])
            return noised_score(found, private.size(split), right, private.noise)
        if name in brought and nearest > 1:
            return rounded_score(found, nearest)
        return coarse_score(found, least, site.details or name not in brought)

    def told_pair(first: str, second: str) -> Comparison:
        found = compare_runs(runs[first], runs[second], cases, split)
        found = found.model_copy(update={"first": first, "second": second})
        if private is not None:
            turned = first > second  # a pair is one question, whichever way round
            sides = (found.worse, found.better) if turned else (found.better, found.worse)
            one, other = private.counts(split, " ".join(sorted((first, second))), sides)
            better, worse = (other, one) if turned else (one, other)
            return noised_comparison(found, private.size(split), better, worse, private.noise)
        if nearest > 1 and brought & {first, second}:
            return rounded_comparison(found, nearest)
        return coarse_comparison(found, graded)

    scores = tuple(told_score(name) for name in runs)
    compared = tuple(told_pair(*pair) for pair in pairs)
    # Free text that a scorer could not judge is in no sum, so a sum may be over fewer cases than the split has.
    sizes = [score.n for score in scores] + [pair.n for pair in compared]
    if private is None and any(size < site.min_cases for size in sizes):
        return refused(task, "too-few-cases", tells=True)
    return Answer(
        ScoreReply(
            verb="score" if task.verb == "score" else "evaluate",
            task=task.task,
            scores=scores,
            comparisons=compared,
            looks=site.looks(split),
            clipped=0 if private is not None else min(rounded_up(site.clipped(split), least), len(cases)),
            choice=choice,
        )
    )


def check_scores(
    terms: Terms, reply: ScoreReply, prompts: set[str], split: SplitName, pairs: Sequence[tuple[str, str]]
) -> None:
    """Refuse a reply that does not score exactly these prompts on this split and compare exactly these pairs.

    Where the study and the site's description are known, also one whose numbers contradict them or each other.

    Raises:
        ReplyUntrue: names the site and says what cannot be.
    """
    scored = [score.prompt for score in reply.scores]
    compared = [(pair.first, pair.second) for pair in reply.comparisons]
    sizes = [(score.split, score.n) for score in reply.scores]
    sizes += [(pair.split, pair.n) for pair in reply.comparisons]
    if (
        sorted(scored) != sorted(prompts)
        or sorted(compared) != sorted(pairs)
        or any(given != split or n == 0 for given, n in sizes)
    ):
        raise ReplyUntrue(f"site '{terms.site}' scored something other than the hub asked", code="not-what-was-asked")
    if (wanted := expected(terms, split)) is not None and (fault := _fault(reply, wanted)) is not None:
        raise ReplyUntrue(f"site '{terms.site}' sent contradictory numbers: {fault}")


def _fault(reply: ScoreReply, wanted: Expected) -> str | None:
    found = (
        *(score_fault(score, wanted) for score in reply.scores),
        *(comparison_fault(pair, wanted) for pair in reply.comparisons),
    )
    if (fault := next((one for one in found if one is not None), None)) is not None:
        return fault
    if reply.clipped != min(rounded_up(reply.clipped, wanted.cell), wanted.cases):
        return f"{reply.clipped} cases were too long, but the site has {wanted.cases} in {wanted.split}"
    if reply.looks and wanted.split != "test":
        return f"it counts {reply.looks} looks at test, but the hub asked for {wanted.split}"
    return fault_among(reply.scores, reply.comparisons, wanted)


def told(message: Mapping[str, Any]) -> str:
    """Return what a reply of scores held, for people."""
    scores, pairs = message.get("scores") or (), len(message.get("comparisons") or ())
    splits = " and ".join(sorted({str(one.get("split")) for one in scores})) or "no cases"
    sizes = sorted({int(one.get("n", 0)) for one in scores})
    n = f", n={sizes[0]}" + (f" to {sizes[-1]}" if len(sizes) > 1 else "") if sizes else ""
    compared = f" and {pairs} comparison{'' if pairs == 1 else 's'}" if pairs else ""
    if (choice := message.get("choice")) is not None:
        return f"the prompt that it keeps ({_chosen(choice)}) and its score on {splits}{n}"
    prompts = list(dict.fromkeys(str(one.get("prompt")) for one in scores))
    what = (
        f"score of prompt {shortened(prompts[0])}"
        if len(prompts) == 1
        else f"scores of {counted(len(prompts))} prompts"
    )
    return f"the {what}{compared} on {splits}{n}"


def _chosen(choice: Mapping[str, Any]) -> str:
    share = choice.get("share")
    known = choice_words(str(choice.get("kind")), share if isinstance(share, float) else None)
    return known or "a reply of an unknown kind"
