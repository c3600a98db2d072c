"""One run of a federation over a bank: score templates, tune in rounds, look at test once. Every step resumes.

What is in the bank is not asked for again, so a run that was stopped goes on where it was, and the numbers are those
of a run that was not.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from fedprompt.bank.store import Bank
from fedprompt.errors import FederationError
from fedprompt.federation.asking import Asking
from fedprompt.federation.gathering import Gathering, Step
from fedprompt.federation.hub import Hub
from fedprompt.federation.orders import Controls
from fedprompt.federation.round_record import RoundRecord
from fedprompt.federation.rounds import run_rounds
from fedprompt.federation.weights import pooled_value
from fedprompt.prompts.origins import FEDERATED, STUDY
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.tensors import Tensors
from fedprompt.study.allowed_rounds import Among
from fedprompt.study.schema import Rounds, Study
from fedprompt.study.score import Comparison, Score, SplitName
from fedprompt.verbs.choosing import Choice
from fedprompt.verbs.evaluate import ask_choice, ask_evaluate
from fedprompt.verbs.score import ScoreReply, ask_score
from fedprompt.workspace.results.methods import how_judged
from fedprompt.workspace.results.travelled import RunTraffic
from fedprompt.workspace.rounds.in_bank import BankJournal, BankKeeper, BankSums, BankWriter, ClippedCases
from fedprompt.workspace.rounds.looks import BySite, Kept, TestLook
from fedprompt.workspace.rounds.one_way import otherwise, unlike
from fedprompt.workspace.timing import Clock

__all__ = ["BankWriter", "FederationRun", "families", "pooled_best"]

T = TypeVar("T")
ROUND_STEPS = {"tune": "tunes", "evaluate": "scores the new prompt"}


class FederationRun:
    """Runs the verbs of one study at the hub's sites and keeps what they say in the bank."""

    def __init__(
        self,
        bank: Bank,
        run: str,
        study: Study,
        digest: str,
        hub: Hub,
        clock: Clock,
        controls: Controls | None = None,
        pause_after: int | None = None,
    ) -> None:
        """Make ready; the clock's token ends the work, and no common round after ``pause_after`` begins."""
        self._pause_after = pause_after
        self._bank, self.id, self._study, self.digest, self.hub, self._clock = bank, run, study, digest, hub, clock
        hub.held_to = study
        self.asking = Asking(hub, study.rounds, controls, stop=clock.stop)
        self.missing: dict[str, dict[str, str]] = {}  # site -> step -> why it did not answer
        self.templates = {prompt.id: prompt for prompt in map(Prompt, study.candidates())}
        for prompt in self.templates.values():
            bank.record_prompt(prompt, study=digest, origin=STUDY.key)
        self.clipped = ClippedCases(bank, run)
        self._traffic = RunTraffic(bank, run)
        hub.counted = self._traffic.count

    @property
    def left_out(self) -> Mapping[str, str]:
        """Site -> why it is not asked, in a sentence: the operator left it out."""
        return self.asking.left_out

    def each(
        self,
        step: Step,
        ask: Callable[[str], T],
        take: Callable[[str, T], None],
        told: Callable[[str], tuple[str, float]],
        odd: Callable[[Mapping[str, T]], Mapping[str, FederationError]] | None = None,
    ) -> None:
        """Ask every site once; one that does not answer is in ``missing`` with the reason while the quorum answers.

        Args:
            step: what is asked.
            ask: asks a site; side by side with the others where the transport is concurrent.
            take: takes its answer, one after the other. An answer that it refuses counts for nothing.
            told: what is said while a site is waited for, and how far the stage is then.
            odd: given all answers, says which do not fit the others and why; they count for nothing. Nothing is taken
                before all have come.

        Raises:
            FederationError: fewer sites than the study's quorum answered.
        """
        for site, why in self.left_out.items():
            self.missing.setdefault(site, {})[step] = why
        # A site that failed at this step before, in another part of it, is not asked for the rest.
        sites = [site for site in self.asking.sites if step not in self.missing.get(site, {})]

        def tell(site: str) -> None:
            message, fraction = told(site)
            self._clock.tell(message, fraction, site=site)

        gathering = self.asking.gather(step, ask, sites=sites, quorum=self.asking.quorum(), told=tell)
        try:
            for site, found in gathering if odd is None else _fitting(gathering, odd):
                try:
                    take(site, found)
                except FederationError as error:  # never the bank's: that is the hub's own
                    gathering.reject(site, error)
                    if odd is not None:
                        gathering.settle()
        except FederationError as error:
            raise FederationError(f"{step}: {error}", code=error.code) from error
        finally:
            for one in gathering.missing:
                self.missing.setdefault(one.site, {})[step] = one.reason
            self._traffic.keep()

    def score_templates(self) -> BySite:
        """Score every template at every site on validation, templates that begin alike together.

        Returns:
            The scores of the sites that scored them all.
        """
        groups, sites = families(list(self.templates.values())), self.hub.sites
        known = self._known("validation")
        for place, group in enumerate(groups):

            def ask(site: str, group: Sequence[str] = group) -> ScoreReply | None:
                if all(prompt in known.get(site, {}) for prompt in group):
                    return None
                return ask_score(self.hub, site, group)

            def told(site: str, group: Sequence[str] = group, place: int = place) -> tuple[str, float]:
                names = self.templates[group[0]].name + (f" and {len(group) - 1} more" if len(group) > 1 else "")
                return f"{site} scores {names}", (place + sites.index(site) / len(sites)) / len(groups)

            # In which way scores are got is what most sites say in their first answers, not who comes first.
            self.each("score", ask, self._take_scores, told, None if self._known("validation") else otherwise)
        return _whole(self._known("validation"), list(self.templates))

    def _take_scores(self, site: str, reply: ScoreReply | None) -> None:
        if reply is None:
            return
        self.clipped.note(site, "validation", reply.clipped)
        self._agree(site, reply.scores)
        self._bank.record_scores(self.id, site, reply.scores)

    def _agree(self, site: str, scores: Sequence[Score]) -> None:
        """Refuse scores got in another way than those that the run has: they would never be ranked together."""
        before = next((row.score for row in self._bank.scores(run=self.id, split="validation")), scores[0])
        if (error := unlike(site, scores, how_judged(before))) is not None:
            raise error

    def tune(self, start: Tensors, seed: int) -> tuple[RoundRecord, ...]:
        """Run the rounds of the study.

        Raises:
            Stopped: the work was to end, or to pause; the rounds that are done are kept.
        """
        return self.rounds(
            self.hub, self.id, start, seed, self._study, FEDERATED.key, "round", pause_after=self._pause_after
        )

    def rounds(
        self,
        hub: Hub,
        run: str,
        start: Tensors,
        seed: int,
        study: Study,
        origin: str,
        word: str,
        *,
        after: int = 0,
        group: Mapping[str, Any] | None = None,
        parent: str = "",
        aside: bool = False,
        pause_after: int | None = None,
        among: Among = "all",
        looked: bool = True,
    ) -> tuple[RoundRecord, ...]:
        """Run rounds of ``study`` among the sites of ``hub`` and keep them under ``run``.

        Args:
            aside: the rounds go on in a thread beside others, which tells nothing and takes no orders.
            after: how many rounds led to ``start``; numbers go on from there.
            group: what the record says of these sites, where they are not all.
            parent: the id of the prompt that ``start`` is, where it is one of the bank.
            pause_after: the round after which the work pauses.
            among: what the sites are told of who takes part.
            looked: whether each round's prompt is scored on validation.
        """
        count, sites = study.rounds.count, len(hub.sites)

        def told(number: int, site: str, what: str) -> None:
            place = hub.sites.index(site) + (sites if what == "evaluate" else 0)
            verb = ROUND_STEPS.get(what, "takes part in the secure sum")
            fraction = (number - after - 1 + place / (2 * sites)) / count
            said = f"{word} {number} of {after + count}: {site} {verb}"
            self._clock.tell(said, fraction, round=number, site=site)

        keeper = BankKeeper(self._bank, run, self.digest) if study.rounds.keep_updates else None
        if keeper is not None:
            keeper.begin(start)
        return run_rounds(
            hub,
            study.tuned_template(),
            start,
            rounds=study.rounds,
            tuning=study.tuning,
            seed=seed,
            writer=BankWriter(self._bank, run, self.digest, origin, group, parent, wrote=self._traffic.keep),
            progress=None if aside else told,
            after=after,
            keeper=keeper,
            journal=BankJournal(self._bank, run, self.digest),
            controls=None if aside else self.asking.controls,
            stop=self._clock.stop,
            pause_after=pause_after,
            among=among,
            looked=looked,
            sums=None if study.rounds.secure_sums is None else BankSums(self._bank, run, self.digest),
        )

    def compare_on_validation(self, first: Sequence[Prompt], scored: Sequence[str] = ()) -> None:
        """Ask each site to compare these prompts with every template, case by case; what it computed before is kept.

        Args:
            first: the prompts.
            scored: ids of those that not every site has scored yet, whose scores are kept.
        """
        others = list(self.templates.values())
        asked = tuple({prompt.id: prompt for prompt in (*first, *others)}.values())
        pairs = [(a.id, b.id) for a in first for b in others if a.id != b.id]
        pairs = [pair for place, pair in enumerate(pairs) if pair[::-1] not in pairs[:place]]
        known = {row.site for row in self._bank.comparisons(run=self.id, split="validation")}
        sites = self.hub.sites

        def ask(site: str) -> ScoreReply | None:
            return None if site in known else ask_evaluate(self.hub, site, asked, "validation", pairs)

        def take(site: str, reply: ScoreReply | None) -> None:
            if reply is not None:
                self.clipped.note(site, "validation", reply.clipped)
                self._bank.record_scores(self.id, site, [one for one in reply.scores if one.prompt in scored])
                self._bank.record_comparisons(self.id, site, reply.comparisons)

        self.each("compare", ask, take, lambda site: (f"{site} compares prompts", sites.index(site) / len(sites)))

    def look_at_test(
        self,
        prompts: Sequence[Prompt],
        pairs: Mapping[str, Sequence[tuple[str, str]]],
        kept: Mapping[str, Kept] | None = None,
    ) -> TestLook:
        """Score the nominated prompts on test, once; a site that answered is not asked again.

        Args:
            prompts: the nominated.
            pairs: site -> what to compare there.
            kept: site -> what it keeps for itself, which is scored there too.
        """
        known, sites, own = self._known("test"), self.hub.sites, kept or {}
        wanted = {site: [*prompts, *_more(own.get(site), prompts)] for site in sites}
        hidden = {site: one.choice.prompt for site, one in own.items() if one.prompt is None}

        def ask(site: str) -> ScoreReply | None:
            ids = [*(prompt.id for prompt in wanted[site]), *([hidden[site]] if site in hidden else [])]
            if all(prompt in known.get(site, {}) for prompt in ids):
                return None
            return ask_evaluate(self.hub, site, wanted[site], "test", pairs[site], hidden.get(site))

        def take(site: str, reply: ScoreReply | None) -> None:
            if reply is not None:
                self.clipped.note(site, "test", reply.clipped)
                # Comparisons first: a run that stops between the two asks again rather than lacking them.
                self._bank.record_comparisons(self.id, site, reply.comparisons)
                self._bank.record_scores(self.id, site, reply.scores)

        def told(site: str) -> tuple[str, float]:
            return f"{site} evaluates the nominated prompts on test", sites.index(site) / len(sites)

        self.each("test", ask, take, told)
        comparisons: dict[str, list[Comparison]] = {site: [] for site in self.hub.sites}
        for row in self._bank.comparisons(run=self.id, split="test"):
            comparisons[row.site].append(row.comparison)
        return TestLook(_whole(self._known("test"), [prompt.id for prompt in prompts]), comparisons)

    def choose(self, common: Prompt, groups: Mapping[str, Prompt], start: Tensors, seed: int) -> dict[str, Kept]:
        """Ask each site what it keeps for itself; return it of those that answered.

        Args:
            common: the prompt of all sites.
            groups: site -> its group's prompt.
            start: what the sites' own prompts are tuned from.
            seed: the run's.
        """
        found: dict[str, Kept] = {}
        known = {**self.templates, **{prompt.id: prompt for prompt in (common, *groups.values())}}
        sites = self.hub.sites

        def ask(site: str) -> tuple[Choice, Score]:
            soft = [common, *([groups[site]] if site in groups else [])]
            return ask_choice(self.hub, site, [*self.templates], soft, start.values, seed)

        def take(site: str, answer: tuple[Choice, Score]) -> None:
            choice, score = answer
            self._bank.record_scores(self.id, site, [score])
            found[site] = Kept(choice, known.get(choice.prompt), score.total / score.n)

        def told(site: str) -> tuple[str, float]:
            return f"{site} tunes its own prompt and chooses the one it keeps", sites.index(site) / len(sites)

        self.each("choose", ask, take, told)
        body = {site: {**kept.choice.model_dump(mode="json"), "value": kept.value} for site, kept in found.items()}
        self._bank.record_stage(self.id, "choices", body)
        return found

    def _known(self, split: SplitName) -> dict[str, dict[str, Score]]:
        found: dict[str, dict[str, Score]] = {}
        for row in self._bank.scores(run=self.id, split=split):
            if row.round is None:
                found.setdefault(row.site, {})[row.score.prompt] = row.score
        return found


def _fitting(
    gathering: Gathering[T], odd: Callable[[Mapping[str, T]], Mapping[str, FederationError]]
) -> Iterator[tuple[str, T]]:
    """Yield the answers that fit the others, once all have come.

    Raises:
        FederationError: fewer sites than the quorum gave one.
    """
    came = dict(gathering)
    errors = odd(came)
    for site, error in errors.items():
        gathering.reject(site, error)
    gathering.settle()
    yield from ((site, found) for site, found in came.items() if site not in errors)


def _more(kept: Kept | None, nominated: Sequence[Prompt]) -> list[Prompt]:
    """Return what a site keeps where the hub knows it and it is not nominated anyway."""
    if kept is None or kept.prompt is None or kept.prompt.id in {prompt.id for prompt in nominated}:
        return []
    return [kept.prompt]


def _whole(scores: BySite, prompts: Sequence[str]) -> BySite:
    """Return the scores of the sites that scored all of these prompts."""
    return {site: found for site, found in scores.items() if all(prompt in found for prompt in prompts)}


def families(prompts: Sequence[Prompt]) -> list[list[str]]:
    """Group templates that begin with the same words, small groups first so that a score is seen early.

    What two templates share is a common beginning, so nothing that can be computed once is computed twice, and a
    family's scores can be shown before the next family is begun.
    """
    found: dict[str, list[str]] = {}
    for prompt in prompts:
        template = prompt.template
        source = template.text if template.text is not None else "\0chat"
        found.setdefault(source.split("{", 1)[0] if not source.startswith("{") else "{", []).append(prompt.id)
    return sorted(found.values(), key=len)


def pooled_best(scores: BySite, prompts: Sequence[str], max_weight: float = Rounds().max_weight) -> str:
    """Return the prompt with the highest metric over the cases of all sites, the first of equals.

    Args:
        scores: of each of the prompts at each site.
        prompts: to choose among.
        max_weight: the study's bound on what a site counts.

    Raises:
        FederationError: sites got their answers by different methods, so their scores cannot be ranked.
    """
    if len(ways := {how_judged(found[prompt]) for found in scores.values() for prompt in prompts}) > 1:
        raise FederationError(
            f"the sites scored with {len(ways)} different methods, which cannot be ranked together; use one "
            "method and one judge at all sites",
            code="mixed-methods",
        )

    def pooled(prompt: str) -> float:
        return pooled_value([scores[site][prompt] for site in sorted(scores)], max_weight)

    return max(prompts, key=lambda prompt: (pooled(prompt), -prompts.index(prompt)))
