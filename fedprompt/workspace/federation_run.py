"""One run of a federation over a bank: score templates, tune in rounds, look at test once. Every step resumes.

What is in the bank is not asked for again, so a run that was stopped goes on where it was, and the numbers are those
of a run that was not.
"""

from collections.abc import Mapping, Sequence

from fedprompt.bank.store import Bank
from fedprompt.federation.hub import Hub
from fedprompt.federation.rounds import RoundRecord, run_rounds
from fedprompt.models.protocols import CausalModel
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.soft import SoftPrompt
from fedprompt.study.messages import ScoreReply
from fedprompt.study.schema import Study
from fedprompt.study.score import Comparison, Score, SplitName
from fedprompt.workspace.timing import Clock

__all__ = ["BankWriter", "FederationRun", "TestLook", "families", "pooled_best", "start_prompt"]

BySite = Mapping[str, Mapping[str, Score]]  # site -> prompt -> score


class BankWriter:
    """Writes rounds into the bank; fills the port that ``federation.rounds`` asks for."""

    def __init__(self, bank: Bank, run: str, study: str, origin: str) -> None:
        self._bank, self._run, self._study, self._origin = bank, run, study, origin

    def written(self) -> Sequence[RoundRecord]:
        """Return the rounds of this run that the bank holds."""
        return [
            RoundRecord(
                row.number,
                self._bank.prompt(row.prompt),
                {site: Score.model_validate(score) for site, score in row.body["scores"].items()},
                row.body["loss"],
                row.body["bytes"],
                row.body["heads"],
            )
            for row in self._bank.rounds(self._run)
        ]

    def write(self, record: RoundRecord) -> None:
        """Record the round's prompt, its scores and itself, in this order."""
        earlier = self._bank.rounds(self._run)
        parents = [earlier[-1].prompt] if earlier else []
        notes = {"round": record.number, "run": self._run}
        self._bank.record_prompt(record.prompt, study=self._study, origin=self._origin, parents=parents, notes=notes)
        for site, score in record.scores.items():
            self._bank.record_scores(self._run, site, [score], round=record.number)
        self._bank.record_round(
            self._run,
            record.number,
            prompt=record.prompt.id,
            body={
                "by_site": record.by_site,
                "mean": record.mean,
                "bytes": record.bytes,
                "loss": dict(record.loss),
                "heads": dict(record.heads),
                "scores": {site: score.model_dump(mode="json") for site, score in record.scores.items()},
            },
        )


class TestLook:
    """What the sites said of test: scores and comparisons by site."""

    __test__ = False  # not a test case, whatever its name begins with

    def __init__(self, scores: BySite, comparisons: Mapping[str, Sequence[Comparison]]) -> None:
        self.scores = scores
        self._pairs = {site: {(c.first, c.second): c for c in found} for site, found in comparisons.items()}

    def pair(self, site: str, first: str, second: str) -> Comparison | None:
        """Return what a site said of two prompts, None where it was not asked or they are one."""
        return self._pairs[site].get((first, second))


class FederationRun:
    """Runs the verbs of one study at the hub's sites and keeps what they say in the bank."""

    def __init__(self, bank: Bank, run: str, study: Study, digest: str, hub: Hub, clock: Clock) -> None:
        self._bank, self.id, self._study, self.digest, self.hub, self._clock = bank, run, study, digest, hub, clock
        self.templates = {prompt.id: prompt for prompt in map(Prompt, study.candidates())}
        for prompt in self.templates.values():
            bank.record_prompt(prompt, study=digest, origin="study")

    def score_templates(self) -> BySite:
        """Score every template at every site on validation, templates that begin alike together."""
        groups = families(list(self.templates.values()))
        steps = [(site, group) for site in self.hub.sites for group in groups]
        known = self._known("validation")
        for done, (site, group) in enumerate(steps):
            if all(prompt in known.get(site, {}) for prompt in group):
                continue
            names = self.templates[group[0]].name + (f" and {len(group) - 1} more" if len(group) > 1 else "")
            self._clock.tell(f"{site} scores {names}", done / len(steps), site=site)
            reply = self.hub.score(site, group)
            self._bank.record_scores(self.id, site, reply.scores)
        return self._known("validation")

    def tune(self, start: SoftPrompt, seed: int) -> tuple[RoundRecord, ...]:
        """Run the rounds of the study."""
        return self.rounds(self.hub, self.id, start, seed, self._study, "federated", "round")

    def rounds(
        self, hub: Hub, run: str, start: SoftPrompt, seed: int, study: Study, origin: str, word: str
    ) -> tuple[RoundRecord, ...]:
        """Run rounds of ``study`` among the sites of ``hub`` and keep them under ``run``."""
        count, sites = study.rounds.count, len(hub.sites)

        def told(number: int, site: str, what: str) -> None:
            place = hub.sites.index(site) + (sites if what == "evaluate" else 0)
            verb = "tunes" if what == "tune" else "scores the new prompt"
            fraction = (number - 1 + place / (2 * sites)) / count
            self._clock.tell(f"{word} {number} of {count}: {site} {verb}", fraction, round=number, site=site)

        return run_rounds(
            hub,
            study.soft_template(),
            start,
            rounds=study.rounds,
            tuning=study.tuning,
            seed=seed,
            writer=BankWriter(self._bank, run, self.digest, origin),
            progress=told,
        )

    def compare_on_validation(self, first: Sequence[Prompt]) -> None:
        """Ask each site to compare these prompts with every template, case by case; what it computed before is kept."""
        others = list(self.templates.values())
        asked = tuple({prompt.id: prompt for prompt in (*first, *others)}.values())
        pairs = [(a.id, b.id) for a in first for b in others if a.id != b.id]
        pairs = [pair for place, pair in enumerate(pairs) if pair[::-1] not in pairs[:place]]
        known = {row.site for row in self._bank.comparisons(run=self.id, split="validation")}
        for site in self.hub.sites:
            if site not in known:
                reply = self.hub.evaluate(site, asked, "validation", pairs)
                self._bank.record_comparisons(self.id, site, reply.comparisons)

    def look_at_test(self, prompts: Sequence[Prompt], pairs: Mapping[str, Sequence[tuple[str, str]]]) -> TestLook:
        """Score the nominated prompts on test, once; a site that answered is not asked again."""
        known = self._known("test")
        for done, site in enumerate(self.hub.sites):
            self._clock.tell(f"{site} evaluates the nominated prompts on test", done / len(self.hub.sites), site=site)
            if all(prompt.id in known.get(site, {}) for prompt in prompts):
                continue
            reply: ScoreReply = self.hub.evaluate(site, prompts, "test", pairs[site])
            # Comparisons first: a run that stops between the two asks again rather than lacking them.
            self._bank.record_comparisons(self.id, site, reply.comparisons)
            self._bank.record_scores(self.id, site, reply.scores)
        comparisons: dict[str, list[Comparison]] = {site: [] for site in self.hub.sites}
        for row in self._bank.comparisons(run=self.id, split="test"):
            comparisons[row.site].append(row.comparison)
        return TestLook(self._known("test"), comparisons)

    def _known(self, split: SplitName) -> dict[str, dict[str, Score]]:
        found: dict[str, dict[str, Score]] = {}
        for row in self._bank.scores(run=self.id, split=split):
            if row.round is None:
                found.setdefault(row.site, {})[row.score.prompt] = row.score
        return found


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


def pooled_best(scores: BySite, prompts: Sequence[str]) -> str:
    """Return the prompt with the highest metric over all cases of all sites, the first of equals."""

    def pooled(prompt: str) -> float:
        found = [scores[site][prompt] for site in sorted(scores)]
        return sum(score.total for score in found) / sum(score.n for score in found)

    return max(prompts, key=lambda prompt: (pooled(prompt), -prompts.index(prompt)))


def start_prompt(model: CausalModel, study: Study) -> SoftPrompt:
    """Return what tuning starts from: the embeddings of the study's text."""
    assert study.soft is not None
    return model.text_init(study.soft.init, study.soft.tokens)
