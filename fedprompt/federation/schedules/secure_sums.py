"""A round whose updates nobody sees apart: keys, shares, masked vectors, the word on survivors, shares again.

Each step is a gathering of its own. A site that stays away before its masked vector came is not in the sum; one that
stays away afterwards is. What a step found is kept before the next is asked, so that a run which stopped goes on.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from fedprompt.errors import FederationError
from fedprompt.federation.gathering import Gathering, Missing, Step
from fedprompt.federation.hub import Hub
from fedprompt.federation.kept_sums import SumKeeper, SumStep, pack_total, unpack_total
from fedprompt.federation.weights import most_cases
from fedprompt.privacy.secure_sums.keys import Member
from fedprompt.privacy.secure_sums.masks import Whole
from fedprompt.privacy.secure_sums.occasion import Occasion
from fedprompt.privacy.secure_sums.sums import added, unmasked
from fedprompt.strategies.strategy import Update
from fedprompt.study.schema import Study
from fedprompt.verbs.sums.confirm import ask_sum_confirm
from fedprompt.verbs.sums.keys import ask_sum_keys
from fedprompt.verbs.sums.shares import ask_sum_shares
from fedprompt.verbs.sums.unmask import ask_sum_unmask
from fedprompt.verbs.sums.update import ask_sum_tune, fixed_point, sum_terms

__all__ = ["SUM", "Gather", "SecureRound", "Summed"]

SUM = "all sites' sum"  # in place of a site's name in the one update that a strategy is given
T = TypeVar("T")
Found = tuple[Mapping[str, Any], Sequence[Missing]]


class Gather(Protocol):
    """Asks some sites one thing; see ``Asking.gather``."""

    def __call__(self, step: Step, ask: Callable[[str], T], sites: Sequence[str], quorum: int) -> Gathering[T]:
        """Return the gathering; ``quorum`` is how many must answer."""
        ...


@dataclass(frozen=True, eq=False)
class Summed:
    """The mean of the sites' updates as one update, whose they are, who is missing and why, and how long sites took."""

    update: Update
    sites: tuple[str, ...]
    missing: tuple[Missing, ...]
    seconds: Mapping[str, float]


@dataclass(frozen=True)
class SecureRound:
    """The secure sum of one round.

    Attributes:
        hub: asks the sites.
        study: the study that replies are held against.
        digest: its digest.
        number, seed: of the round and the run.
        sites: whom it asks.
        quorum: how many updates must be in the sum.
        most: the highest weight of a site; what the sites describe of themselves says it if None.
        steps_of: site -> its local steps.
        gather: asks some of the sites.
        keeper: keeps what steps found.
    """

    hub: Hub
    study: Study
    digest: str
    number: int
    seed: int
    sites: tuple[str, ...]
    quorum: int
    most: int | None
    steps_of: Callable[[str], int]
    gather: Gather
    keeper: SumKeeper

    def run(self, start: NDArray[np.float32]) -> Summed:
        """Return the sum of the updates from ``start`` (float32).

        Raises:
            FederationError: fewer sites than the quorum or the least cohort answered a step, or what came is no sum of
                what sites may send.
        """
        missing: list[Missing] = []
        members, most = self._keys(missing)
        sealed = self._shares(members, missing)
        total, sites, seconds = self._masked(start, most, members, sealed, missing)
        survivors = tuple(sorted(members[site].key for site in sites))
        signatures = self._confirmed(sites, survivors, missing)
        found, liars = self._unmasked(sum_terms(start, most), total, members, sealed, survivors, signatures, missing)
        names = {member.key: site for site, member in members.items()}
        for key in liars:
            told = f"site '{names[key]}' gave shares of the masks' secrets that do not fit, so they were left out"
            missing.append(Missing(names[key], "unmask", "untrue", told))
        mean, weight = fixed_point(self.study, start.size, most, len(sealed)).decoded(found)
        update = Update(SUM, mean.reshape(start.shape).astype(np.float32), weight)
        return Summed(update, sites, tuple(sorted(missing, key=lambda one: one.site)), seconds)

    @property
    def _least(self) -> int:
        sums = self.study.rounds.secure_sums
        assert sums is not None
        return sums.least_of(len(self.hub.sites))

    def _most(self, members: Iterable[str]) -> int:
        """Return the highest weight of a site, once the members have described themselves."""
        if self.most is not None:
            return self.most
        described = self.hub.described
        cases = [described[site].tune for site in members if site in described]
        return most_cases(cases, self.study.rounds.max_weight) if cases else 1

    def _keys(self, missing: list[Missing]) -> tuple[dict[str, Member], int]:
        """Return site -> its keys, and the highest weight of a site."""

        def ask(site: str) -> Member:
            return ask_sum_keys(self.hub, site, round=self.number, seed=self.seed)

        def found() -> Found:
            members, gone = self._gathered("keys", ask, self.sites)
            shown = {site: member.model_dump(mode="json") for site, member in members.items()}
            return {"members": shown, "most": self._most(members)}, gone

        body = self._once("keys", found, missing)
        try:
            return {site: Member.model_validate(one) for site, one in body["members"].items()}, int(body["most"])
        except ValidationError as error:
            raise FederationError(
                "what was kept of a secure sum is damaged; restore the bank from a backup", code="damaged"
            ) from error

    def _shares(self, members: Mapping[str, Member], missing: list[Missing]) -> dict[str, dict[str, bytes]]:
        """Return giver's key -> taker's key -> what was sealed."""
        cohort, sites = sorted(members.values(), key=lambda one: one.key), len(self.hub.sites)

        def ask(site: str) -> dict[str, bytes]:
            key = members[site].key
            return ask_sum_shares(self.hub, site, cohort, key, round=self.number, seed=self.seed, sites=sites)

        def found() -> Found:
            given, gone = self._gathered("shares", ask, tuple(members))
            return {
                members[site].key: {taker: data.hex() for taker, data in sealed.items()}
                for site, sealed in given.items()
            }, gone

        body = self._once("shares", found, missing)
        return {key: {taker: bytes.fromhex(data) for taker, data in sealed.items()} for key, sealed in body.items()}

    def _masked(
        self,
        start: NDArray[np.float32],
        most: int,
        members: Mapping[str, Member],
        sealed: Mapping[str, Mapping[str, bytes]],
        missing: list[Missing],
    ) -> tuple[Whole, tuple[str, ...], Mapping[str, float]]:
        """Return the sum of the masked vectors, whose they are, and how long sites took."""
        givers = tuple(sorted(sealed))

        def ask(site: str) -> Whole:
            key = members[site].key
            return ask_sum_tune(
                self.hub,
                site,
                start,
                round=self.number,
                steps=self.steps_of(site),
                seed=self.seed,
                most=most,
                givers=givers,
                received={giver: sealed[giver][key] for giver in givers if giver != key},
            )

        def found() -> Found:
            asked = tuple(site for site in self.sites if site in members and members[site].key in sealed)
            gathering = self.gather("tune", ask, asked, max(self._least, min(self.quorum, len(asked))))
            came: list[str] = []

            def vectors() -> Iterator[Whole]:
                for site, vector in gathering:
                    came.append(site)
                    yield vector

            total = added(vectors())
            self._enough(came)
            return {"sites": came, "seconds": dict(gathering.seconds), **pack_total(total)}, gathering.missing

        body = self._once("masked", found, missing)
        return unpack_total(body), tuple(sorted(body["sites"])), body["seconds"]

    def _confirmed(self, sites: Sequence[str], survivors: Sequence[str], missing: list[Missing]) -> dict[str, bytes]:
        """Return site -> its signature of the survivors."""

        def ask(site: str) -> bytes:
            return ask_sum_confirm(self.hub, site, survivors, round=self.number, seed=self.seed)

        def found() -> Found:
            signed, gone = self._gathered("confirm", ask, sites, self._least)
            return {site: signature.hex() for site, signature in signed.items()}, gone

        return {site: bytes.fromhex(one) for site, one in self._once("confirmed", found, missing).items()}

    def _unmasked(
        self,
        terms: str,
        total: Whole,
        members: Mapping[str, Member],
        sealed: Mapping[str, Mapping[str, bytes]],
        survivors: Sequence[str],
        signatures: Mapping[str, bytes],
        missing: list[Missing],
    ) -> tuple[Whole, tuple[str, ...]]:
        """Return the sum without masks, and the keys of sites whose shares do not fit."""
        givers = tuple(sorted(sealed))
        signed = {members[site].key: signature for site, signature in signatures.items()}

        def ask(site: str) -> dict[str, bytes]:
            return ask_sum_unmask(self.hub, site, signed, givers, round=self.number, seed=self.seed)

        found, gone = self._gathered("unmask", ask, tuple(signatures), self._least)
        missing.extend(gone)
        result = unmasked(
            total,
            sorted(members.values(), key=lambda one: one.key),
            givers,
            survivors,
            {members[site].key: shares for site, shares in found.items()},
            Occasion(self.digest, self.number, self.seed),
            self._least,
            terms,
        )
        return result.total, result.liars

    def _once(self, step: SumStep, make: Callable[[], Found], missing: list[Missing]) -> Mapping[str, Any]:
        """Return what a step found, as JSON: what was kept of it, or what is found and kept now."""
        body = self.keeper.kept(self.number, step)
        if body is None:
            found, gone = make()
            body = {"found": found, "missing": [asdict(one) for one in gone]}
            self.keeper.keep(self.number, step, body)
        missing.extend(Missing(**one) for one in body["missing"])
        found_before: Mapping[str, Any] = body["found"]
        return found_before

    def _gathered(
        self, step: Step, ask: Callable[[str], T], sites: Sequence[str], quorum: int | None = None
    ) -> tuple[dict[str, T], Sequence[Missing]]:
        """Return the answers of some sites, and who is missing."""
        needed = max(self._least, min(self.quorum, len(sites))) if quorum is None else quorum
        gathering = self.gather(step, ask, tuple(site for site in self.sites if site in sites), needed)
        found = dict(gathering)
        self._enough(found)
        return found, gathering.missing

    def _enough(self, sites: Sequence[str] | Mapping[str, object]) -> None:
        if len(sites) < self._least:  # where the operator left sites out, a gathering asks for fewer
            raise FederationError(
                f"{len(sites)} sites are left for a secure sum and {self._least} are needed; wait for the others, and "
                "resume the run",
                code="cohort-too-small",
            )
