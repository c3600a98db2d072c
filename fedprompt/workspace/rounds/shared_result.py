"""What a federation finds beside one prompt for all: a prompt for each group, and what each site keeps for itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fedprompt.bank.store import Bank
from fedprompt.federation.round_record import RoundRecord, best_round
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.tensors import Tensors
from fedprompt.study.schema import Study
from fedprompt.study.score import Score
from fedprompt.verbs.choosing import Choice, choice_words
from fedprompt.workspace.as_json import from_json
from fedprompt.workspace.results.points import points
from fedprompt.workspace.rounds.federated import GroupFound, GroupsFound, SiteKept
from fedprompt.workspace.rounds.federation_run import FederationRun
from fedprompt.workspace.rounds.grouping import SiteGroup, group_sentences, run_groups
from fedprompt.workspace.rounds.looks import Kept, TestLook
from fedprompt.workspace.rounds.result_table import Difference, ResultRow, SiteDifference, difference, entry
from fedprompt.workspace.timing import Clock

__all__ = ["Pair", "Shared", "SharedResult", "kept_sentence", "share"]

Pair = tuple[str, str]


@dataclass(frozen=True)
class Shared:
    """The groups, and by site what it keeps; both empty where the study asks for neither."""

    common: Prompt
    groups: tuple[SiteGroup, ...] = ()
    kept: Mapping[str, Kept] | None = None
    weighed: Mapping[str, Any] | None = None

    @property
    def by_site(self) -> dict[str, Prompt]:
        """Site -> its group's prompt, of the sites that are in a group."""
        return {site: group.prompt for group in self.groups for site in group.sites}

    @property
    def prompts(self) -> list[Prompt]:
        """The groups' prompts that are not the common one, each once."""
        found = {group.prompt.id: group.prompt for group in self.groups}
        return [prompt for name, prompt in found.items() if name != self.common.id]

    def pairs(self, manual: Prompt, sites: Sequence[str]) -> dict[str, list[Pair]]:
        """Return site -> what is to be compared there on test, each pair once."""
        found: dict[str, list[Pair]] = {}
        for site in sites:
            ours = [self.common.id, self._grouped(site), self._kept(site, self.common.id)]
            wanted = [(first, second) for first in ours for second in (manual.id, self.common.id) if first != second]
            found[site] = [p for n, p in enumerate(wanted) if p not in wanted[:n] and p[::-1] not in wanted[:n]]
        return found

    def result(self, look: TestLook, manual: Prompt, seed: int) -> "SharedResult":
        """Return what is added to a federation's result."""
        test: dict[str, ResultRow] = {}
        differences: dict[str, Difference] = {}
        sentences: list[str] = []
        if self.weighed is not None:
            sentences += group_sentences(self.groups, self.weighed)
        if self.groups:
            ours = {site: self._grouped(site) for site in look.sites}
            test["grouped"] = _row(ours, look, seed)
            differences |= self._differences("grouped", ours, look, manual, seed)
        if self.kept is not None:
            ours = {site: self._kept(site, self.common.id) for site in look.sites}
            test["kept"] = _row(ours, look, seed)
            differences |= self._differences("kept", ours, look, manual, seed)
            gains = differences["kept_vs_manual"].by_site
            sentences += [kept_sentence(s, self.kept[s].choice, gains[s]) for s in sorted(gains) if s in self.kept]
        return SharedResult(test, differences, tuple(sentences), self._groups_found(), self._sites_kept())

    def _groups_found(self) -> GroupsFound | None:
        if self.weighed is None:
            return None
        groups = [GroupFound(one.number, one.sites, one.prompt.id, one.round) for one in self.groups]
        return replace(from_json(GroupsFound, self.weighed), groups=tuple(groups))

    def _sites_kept(self) -> dict[str, SiteKept] | None:
        if self.kept is None:
            return None
        return {
            site: SiteKept(kept.choice.kind, kept.choice.prompt, kept.choice.share, kept.value)
            for site, kept in sorted(self.kept.items())
        }

    def _differences(
        self, name: str, ours: Mapping[str, str], look: TestLook, manual: Prompt, seed: int
    ) -> dict[str, Difference]:
        return {
            f"{name}_vs_{other}": difference(look, {site: (own, prompt.id) for site, own in ours.items()}, seed)
            for other, prompt in (("manual", manual), ("federated", self.common))
        }

    def _grouped(self, site: str) -> str:
        return self.by_site.get(site, self.common).id

    def _kept(self, site: str, otherwise: str) -> str:
        kept = (self.kept or {}).get(site)
        return otherwise if kept is None else kept.choice.prompt


@dataclass(frozen=True)
class SharedResult:
    """What is added to a federation's result: rows, differences and sentences, the groups, and what sites keep."""

    test: Mapping[str, ResultRow]
    differences: Mapping[str, Difference]
    sentences: tuple[str, ...]
    groups: GroupsFound | None
    kept: Mapping[str, SiteKept] | None


def _row(ours: Mapping[str, str], look: TestLook, seed: int) -> ResultRow:
    return entry({site: look.scores[site][prompt] for site, prompt in ours.items()}, seed)


def share(
    federation: FederationRun,
    bank: Bank,
    study: Study,
    scores: Mapping[str, Mapping[str, Score]],
    records: Sequence[RoundRecord],
    start: Tensors,
    seed: int,
    clock: Clock,
) -> Shared:
    """Run what the study asks for beside the common rounds.

    Raises:
        FederationError: fewer than the quorum answered.
    """
    rounds = study.rounds
    common = best_round(records, federation.left_out, bounded=rounds.strategy.robust).prompt
    groups: tuple[SiteGroup, ...] = ()
    weighed = None
    if rounds.groups is not None:
        with clock.stage("groups", "groups of similar sites tune a prompt together"):
            groups = run_groups(federation, bank, study, scores, records, seed, clock)
            weighed = bank.stages(federation.id)["groups"]
    shared = Shared(common, groups, None, weighed)
    if rounds.personal is None:
        return shared
    with clock.stage("choose", "each site chooses the prompt that it keeps"):
        return Shared(common, groups, federation.choose(common, shared.by_site, start, seed), weighed)


def kept_sentence(site: str, choice: Choice, gain: SiteDifference) -> str:
    """Return what a site keeps and what that gives it over the best template, in one sentence."""
    what = choice_words(choice.kind, choice.share)
    value, span = gain.difference, f"{points(gain.low)} to {points(gain.high)}"
    told = f"{site} keeps {what}: {points(value)} points compared with the best common template ({span})"
    return told if gain.distinguishable else f"{told}, not significant"
