"""One site's side of a secure sum, step by step: keys, shares, masked vector, word on who survived, shares again.

Invariant: each step is taken once, from what the step before left, so that keys are never used for two cohorts. A site
gives out a share of a peer's own mask, if that peer's vector is in the sum, or of its mask key, if it is not; never
both. It gives out any only once as many sites as the least cohort have signed the very same list of survivors.
"""

from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, StringConstraints

from fedprompt.boundary.closed import Closed
from fedprompt.errors import FederationError
from fedprompt.privacy.secure_sums.keys import (
    Key,
    Member,
    Secrets,
    agreed,
    check_members,
    digest_of,
    masks_key,
    opened_key,
    own_mark,
    public_key,
)
from fedprompt.privacy.secure_sums.masks import Whole, own_mask, pairwise_masks
from fedprompt.privacy.secure_sums.neighbours import neighbourhoods, threshold_of
from fedprompt.privacy.secure_sums.occasion import Occasion
from fedprompt.privacy.secure_sums.shares import SEALED_BYTES, opened, sealed, split
from fedprompt.trust.signing import Signer, is_signed

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

__all__ = ["MISSING", "Participant", "survivors_message", "survivors_signed"]

Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]*$", max_length=256)]
Stage = Literal["keys", "shares", "masked", "confirmed", "done"]
HALF = 16
MISSING = bytes(HALF)
"""In place of a share that a site does not hold; a share of zeros is as likely as any other guess of it."""


class Participant(Closed):
    """What a site keeps between two steps. It is private, and :meth:`forgotten` once the sum is known.

    Attributes:
        study, round, seed: the occasion.
        stage: the step that was taken last.
        least: the least cohort.
        degree: neighbours with whom masks are shared; None for all.
        members: the cohort, by key.
        own_shares: this site's shares of its own two secrets.
        received: giver's key -> the shares that it sealed for this site.
        givers: those who sealed shares, this site among them; the vector is masked against them.
        terms: a digest of what every vector of the sum must agree on.
        survivors: whose vectors are in the sum.
    """

    study: str
    round: int
    seed: int
    stage: Stage
    key: Key
    masks: Hex
    own: Hex
    shares: Hex
    least: Annotated[int, Field(ge=1)] = 1
    degree: int | None = None
    members: tuple[Member, ...] = ()
    own_shares: Hex = ""
    received: dict[Key, Hex] = Field(default={})
    givers: tuple[Key, ...] = ()
    terms: Annotated[str, StringConstraints(max_length=200)] = ""
    survivors: tuple[Key, ...] = ()

    @classmethod
    def begin(cls, occasion: Occasion, signer: Signer) -> tuple["Participant", Member]:
        """Make new keys; return what is kept and what the others are shown."""
        secrets = Secrets.new()
        kept = cls(
            study=occasion.study,
            round=occasion.round,
            seed=occasion.seed,
            stage="keys",
            key=signer.key,
            masks=secrets.masks.hex(),
            own=secrets.own.hex(),
            shares=secrets.shares.hex(),
        )
        return kept, secrets.member(occasion, signer)

    def share(
        self,
        members: Sequence[Member],
        least: int,
        accepted: Collection[str] | None = None,
        degree: int | None = None,
    ) -> tuple["Participant", dict[str, bytes]]:
        """Cut both secrets and seal a share of each for every neighbour; return them by key.

        Args:
            members: the cohort, by key.
            least: the least cohort.
            accepted: fingerprints of the sites that may take part; None where whoever asks holds all of them.
            degree: how many neighbours share masks; None for all.

        Raises:
            FederationError: the cohort is too small, or not all of it was signed for; this site is not in it.
        """
        self._after("keys")
        check_members(members, self.occasion, least, accepted)
        occasion, secrets = self.occasion, self._secrets
        shown = (masks_key(secrets.masks, occasion), public_key(secrets.shares), own_mark(secrets.own, occasion))
        if not any((one.key, one.masks, one.shares, one.own) == (self.key, *shown) for one in members):
            raise FederationError("a secure sum's cohort lacks this site or its keys", code="unknown-keys")
        kept = self.model_copy(update={"stage": "shares", "members": tuple(members), "least": least, "degree": degree})
        cohort, near = kept.cohort, kept.near
        needed = kept._needed(near)
        halves = zip(split(secrets.own, needed, len(near)), split(secrets.masks, needed, len(near)), strict=True)
        cut = {key: own + masks for key, (own, masks) in zip(near, halves, strict=True)}
        private = opened_key(secrets.shares)
        found = {
            key: sealed(kept._sealing(private, self.key, key), cut[key], cohort) for key in near if key != self.key
        }
        return kept.model_copy(update={"own_shares": cut[self.key].hex()}), found

    def mask(
        self, vector: Whole, received: Mapping[str, bytes], givers: Sequence[str], terms: str = ""
    ) -> tuple["Participant", Whole]:
        """Hide a vector.

        Args:
            vector: [size], unsigned whole numbers.
            received: neighbour -> what it sealed for this site.
            givers: everyone who sealed shares, this site among them, by key.
            terms: a digest of what the vector follows from, such as where tuning began. Masks follow from it too, so
                that those of sites which were told of other terms do not cancel (Pasquini et al. 2022, arXiv
                2111.07380: a hub that gives each site another start sees updates apart).

        Raises:
            FederationError: too few gave shares (``cohort-too-small``), or others than the cohort (``cohort-differs``).
        """
        self.check_givers(received, givers)
        occasion, secrets = self.occasion, self._secrets
        public = {one.key: one.masks for one in self.members if one.key in received}
        hidden = vector + own_mask(secrets.own, occasion, vector.size, vector.dtype)
        hidden += pairwise_masks(secrets.masks, self.key, public, occasion, terms, vector.size, vector.dtype)
        update = {
            "stage": "masked",
            "givers": tuple(givers),
            "terms": terms,
            "received": {key: data.hex() for key, data in received.items()},
        }
        return self.model_copy(update=update), hidden

    def check_givers(self, received: Mapping[str, bytes], givers: Sequence[str]) -> None:
        """Refuse to mask against others than the cohort, or against too few; the arguments are those of :meth:`mask`.

        Raises:
            FederationError: too few gave shares (``cohort-too-small``), or others than the cohort (``cohort-differs``).
        """
        self._after("shares")
        around, gave = self.near, set(givers)
        near = {key for key in around if key in gave and key != self.key}
        if not _within(givers, [one.key for one in self.members], self.key) or set(received) != near:
            raise FederationError("shares came from others than the cohort of a secure sum", code="cohort-differs")
        if len(givers) < self.least or len(near) + 1 < self._needed(around):
            raise FederationError(
                f"{len(givers)} sites gave shares for a secure sum, and {self.least} are needed",
                code="cohort-too-small",
            )
        if any(len(data) != SEALED_BYTES for data in received.values()):
            raise FederationError("a share of a secure sum has another length", code="cohort-differs")

    def confirm(self, survivors: Sequence[str], signer: Signer) -> tuple["Participant", bytes]:
        """Sign who is in the sum.

        Args:
            survivors: whose masked vectors the hub has, this site's among them, by key.
            signer: this site's.

        Raises:
            FederationError: too few (``cohort-too-small``), or others than gave shares (``cohort-differs``).
        """
        self._after("masked")
        if not _within(survivors, self.givers, self.key):
            raise FederationError("a secure sum would be of others than gave shares for it", code="cohort-differs")
        if len(survivors) < self.least:
            raise FederationError(
                f"{len(survivors)} sites would be in a secure sum, and {self.least} are needed",
                code="cohort-too-small",
            )
        kept = self.model_copy(update={"stage": "confirmed", "survivors": tuple(survivors)})
        return kept, signer.sign(kept.survivors_message)

    def reveal(self, signatures: Mapping[str, bytes]) -> tuple["Participant", dict[str, bytes]]:
        """Return, by neighbour and this site itself, one share each; what is kept afterwards holds no secret.

        Args:
            signatures: survivor -> its signature of the survivors.

        Raises:
            FederationError: fewer than the least cohort signed the list that this site signed (``cohort-differs``).
        """
        self._after("confirmed")
        cohort, private = self.cohort, opened_key(bytes.fromhex(self.shares))
        if not survivors_signed(self.survivors_message, self.survivors, signatures, self.least):
            raise FederationError("too few sites signed the same survivors of a secure sum", code="cohort-differs")
        found = {}
        for key in self.near:
            if key not in self.givers:
                continue
            pair = bytes.fromhex(self.own_shares) if key == self.key else self._opened(private, key, cohort)
            half = None if pair is None else pair[:HALF] if key in self.survivors else pair[HALF:]
            found[key] = MISSING if half is None else half
        return self.forgotten(), found

    def forgotten(self) -> "Participant":
        """Return what says that this sum is over, without any secret."""
        gone = {"stage": "done", "masks": "", "own": "", "shares": "", "own_shares": "", "received": {}}
        return self.model_copy(update=gone)

    @property
    def occasion(self) -> Occasion:
        """What the sum is of."""
        return Occasion(self.study, self.round, self.seed)

    @property
    def cohort(self) -> str:
        """The digest of the cohort with its keys."""
        return digest_of(self.members)

    @property
    def near(self) -> tuple[str, ...]:
        """This site's neighbours and itself, by key; a share's place is where its holder stands here."""
        return neighbourhoods([one.key for one in self.members], self.cohort, self.degree)[self.key]

    @property
    def survivors_message(self) -> bytes:
        """What is signed of the survivors."""
        return survivors_message(self.occasion, self.cohort, self.givers, self.terms, self.survivors)

    @property
    def _secrets(self) -> Secrets:
        return Secrets(bytes.fromhex(self.masks), bytes.fromhex(self.own), bytes.fromhex(self.shares))

    def _needed(self, near: Sequence[str]) -> int:
        """Return how many shares give a secret back."""
        return threshold_of(len(near), self.least, len(near) == len(self.members))

    def _sealing(self, private: "X25519PrivateKey", giver: str, taker: str) -> bytes:
        """Return the key under which one of two sites, of which this is one, seals shares for the other."""
        other = giver if taker == self.key else taker
        public = next(one.shares for one in self.members if one.key == other)
        return agreed(private, public, self.occasion.context("seal", giver, taker))

    def _opened(self, private: "X25519PrivateKey", giver: str, cohort: str) -> bytes | None:
        return opened(self._sealing(private, giver, self.key), bytes.fromhex(self.received[giver]), cohort)

    def _after(self, stage: Stage) -> None:
        if self.stage != stage:
            raise FederationError("this step of a secure sum was taken, or the one before was not", code="wrong-step")


def survivors_message(
    occasion: Occasion, cohort: str, givers: Sequence[str], terms: str, survivors: Sequence[str]
) -> bytes:
    """Return what a site signs of a sum: the cohort, who gave shares, the terms, and whose vectors are in it."""
    return occasion.context("survivors", cohort, list(givers), terms, list(survivors))


def survivors_signed(message: bytes, survivors: Sequence[str], signatures: Mapping[str, bytes], least: int) -> bool:
    """Say whether as many survivors as the least cohort signed a message."""
    right = (key for key in survivors if key in signatures and is_signed(key, message, signatures[key]))
    return sum(1 for _ in islice(right, least)) == least


def _within(some: Sequence[str], of: Sequence[str], me: str) -> bool:
    """Say whether some keys are in order, none twice, all of them among others and one of them this site's."""
    return list(some) == sorted(set(some)) and set(some) <= set(of) and me in some
