"""Each site also tunes a prompt alone: what joining is compared with, and how a prompt does away from home.

The rounds are the federation's own, of one site, from the same start and with as many steps; the round that is best on
the site's own validation cases is kept. The hub knows these prompts, and the other sites score them on test, once, with
the others that are nominated.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations

from fedprompt.bank.store import Bank
from fedprompt.errors import FedPromptError
from fedprompt.federation.round_record import RoundRecord, best_round
from fedprompt.prompts.origins import LOCAL
from fedprompt.prompts.prompt import Prompt
from fedprompt.prompts.tensors import Tensors
from fedprompt.study.schema import Study
from fedprompt.study.score import Score
from fedprompt.workspace.rounds.federated import NominatedIds
from fedprompt.workspace.rounds.federation_run import FederationRun
from fedprompt.workspace.rounds.kept_at_home import kept_at_home
from fedprompt.workspace.rounds.looks import BySite, TestLook
from fedprompt.workspace.rounds.result_table import Difference, ResultRow, average, difference, entry, gain_sentence

__all__ = ["AloneResult", "Nominated", "alone_result", "nominate", "tune_alone"]

COMPARED = (
    ("federated", "manual"),
    ("federated", "local_own"),
    ("federated", "centralised"),
    ("kept", "local_own"),
    ("kept", "manual"),
)


@dataclass(frozen=True)
class Nominated:
    """The prompts that are evaluated on test, and which of three each site would keep.

    ``alone`` and ``kept`` are of the sites that tuned alone. ``centralised`` is known to a demo only.
    """

    manual: Prompt
    federated: Prompt
    alone: Mapping[str, Prompt]
    kept: Mapping[str, str]
    centralised: Prompt | None = None

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """All of them, each once."""
        references = (self.centralised,) if self.centralised is not None else ()
        found = (self.manual, self.federated, *references, *self.alone.values())
        return tuple({prompt.id: prompt for prompt in found}.values())

    @property
    def compared(self) -> tuple[tuple[str, str], ...]:
        """The rows of the table that are compared, the first with the second."""
        return tuple(pair for pair in COMPARED if self.centralised is not None or "centralised" not in pair)

    def named(self, name: str, site: str) -> Prompt:
        """Return the prompt that a row of the table means at a site."""
        known = {
            "manual": self.manual,
            "federated": self.federated,
            "centralised": self.centralised,
            "local_own": self.alone[site],
        }
        found = known.get(self.kept[site] if name == "kept" else name)
        if found is None:
            raise FedPromptError(f"no row of the table is called '{name}'", code="no-such-row")
        return found

    def every_pair(self) -> dict[str, list[tuple[str, str]]]:
        """Return site -> every two of the nominated prompts."""
        ids = [prompt.id for prompt in self.prompts]
        return {site: list(combinations(ids, 2)) for site in self.alone}

    def pairs(self, site: str) -> list[tuple[str, str]]:
        """Return the pairs of prompts that the table compares at a site, each once."""
        found: list[tuple[str, str]] = []
        for names in self.compared:
            first, second = (self.named(name, site).id for name in names)
            if first != second and not {(first, second), (second, first)} & set(found):
                found.append((first, second))
        return found

    def ids(self) -> NominatedIds:
        """The prompts' ids."""
        return NominatedIds(
            manual=self.manual.id,
            federated=self.federated.id,
            centralised=None if self.centralised is None else self.centralised.id,
            alone={site: prompt.id for site, prompt in self.alone.items()},
        )


@dataclass(frozen=True)
class AloneResult:
    """What tuning alone gave beside joining: the table's rows and differences, and a sentence a site.

    ``transfer``: home of a prompt -> site -> its value on test there. ``kept``: site -> the row that it keeps.
    """

    test: Mapping[str, ResultRow]
    transfer: Mapping[str, Mapping[str, float]]
    differences: Mapping[str, Difference]
    kept: Mapping[str, str]
    prompts: NominatedIds
    sentences: tuple[str, ...]


def tune_alone(
    federation: FederationRun, bank: Bank, study: Study, start: Tensors, seed: int
) -> dict[str, RoundRecord]:
    """Return site -> the best round of those that it tuned alone, of the sites that answered.

    Raises:
        FederationError: fewer than the quorum answered.
    """
    found: dict[str, RoundRecord] = {}
    sites, aside = federation.hub.sites, federation.hub.concurrent

    def ask(site: str) -> RoundRecord:
        run = f"{federation.id}/alone/{site}"
        bank.start_run(run, kind="alone", study=federation.digest, settings={"site": site})
        hub, word = federation.hub.among([site]), f"{site} alone, step"
        own = study.alone()
        records = federation.rounds(hub, run, start, seed, own, LOCAL.of(site), word, aside=aside, among="alone")
        return best_round(records)

    def told(site: str) -> tuple[str, float]:
        return f"{site} tunes a soft prompt alone", sites.index(site) / len(sites)

    federation.each("alone", ask, found.__setitem__, told)
    return {site: found[site] for site in sites if site in found}


def nominate(
    manual: Prompt,
    federated: RoundRecord,
    alone: Mapping[str, RoundRecord],
    scores: BySite,
    centralised: Prompt | None = None,
) -> Nominated:
    """Return what is looked at on test, and what each site keeps, its own of equals.

    Args:
        manual: the best template.
        federated: the best of the common rounds.
        alone: site -> its best round alone.
        scores: of the templates on validation.
        centralised: what a demo tuned on all cases at once.
    """
    known: dict[str, dict[str, Score]] = {}
    for site, own in alone.items():
        known[site] = {"local_own": own.scores[site]}
        if site in federated.scores:
            known[site]["federated"] = federated.scores[site]
        if site in scores:
            known[site]["manual"] = scores[site][manual.id]
    kept = kept_at_home(known)
    prompts = {site: record.prompt for site, record in alone.items()}
    return Nominated(manual, federated.prompt, prompts, kept, centralised)


def alone_result(nominated: Nominated, look: TestLook, seed: int) -> AloneResult | None:
    """Return what came of the sites that tuned alone and were looked at; None where there is none."""
    sites = [site for site in nominated.alone if site in look.sites]
    if not sites:
        return None
    homes = {home: {site: look.scores[site][p.id] for site in look.sites} for home, p in nominated.alone.items()}
    by_home = {home: sum(s.total / s.n for s in found.values()) / len(found) for home, found in homes.items()}
    rows = dict.fromkeys(name for pair in nominated.compared for name in pair)
    test = {
        name: entry({site: look.scores[site][nominated.named(name, site).id] for site in sites}, seed) for name in rows
    }
    everywhere = entry(average(list(homes.values())), seed)
    test["local_only"] = replace(everywhere, worst=min(by_home.values()), by_site=by_home)
    differences = {
        f"{first}_vs_{second}": difference(
            look, {site: (nominated.named(first, site).id, nominated.named(second, site).id) for site in sites}, seed
        )
        for first, second in nominated.compared
    }
    gains = differences["kept_vs_local_own"].by_site
    return AloneResult(
        test=test,
        transfer={home: {s: v.total / v.n for s, v in found.items()} for home, found in homes.items()},
        differences=differences,
        kept=dict(nominated.kept),
        prompts=nominated.ids(),
        sentences=tuple(gain_sentence(site, nominated.kept[site], gains[site]) for site in sites),
    )
