"""A site's private folder: its key, its cases' split, its ledger. Readable by its owner alone."""

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fedprompt.errors import DataError
from fedprompt.private_file import write_private
from fedprompt.site.ledger import Ledger
from fedprompt.site.policy import Policy, read_policy
from fedprompt.site.replies import ReplyStore

if TYPE_CHECKING:  # every command opens a folder, few compute
    from fedprompt.evaluation.runs.score_cache import ScoreCache
    from fedprompt.models.chat.replies import ChatReplies
    from fedprompt.site.call_bill import CallBill

__all__ = ["ENTERED", "KEY_BYTES", "SiteFolder"]

KEY_BYTES = 32
LOST = (
    "restore it from a backup. Without a backup, move the whole folder away and start as a new site. A new key "
    "splits and orders your cases differently, and earlier answers stay counted"
)
ENTERED = "entered-"


@dataclass(frozen=True)
class SiteFolder:
    """Where one site keeps what is its own."""

    path: Path

    def prepare(self, key: bytes | None = None) -> None:
        """Make the folder (mode 0700) and its key (mode 0600) if they are not there.

        Args:
            key: the key to write; random if None. Only the demo, whose sites are made up, derives it from a seed.

        Raises:
            DataError: the folder or the key cannot be made, another key is there already, or the key is lost.
        """
        if key is not None and len(key) != KEY_BYTES:
            raise DataError(
                f"{self._key}: a site's key has {KEY_BYTES} bytes, but this one has {len(key)}", code="key-length"
            )
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._key.exists():
                if key is not None and self.key != key:
                    raise DataError(
                        f"{self._key}: another key is already there; move the folder away to start over",
                        code="another-key",
                    )
                return
            if key is None and (left := self._left()):
                raise DataError(
                    f"{self._key}: the site's key is lost, but '{left}' was made with it; {LOST}", code="key-lost"
                )
            write_private(self._key, secrets.token_bytes(KEY_BYTES) if key is None else key)
        except OSError as error:
            raise DataError(
                f"{self.path}: the site's folder cannot be created ({error.strerror})", code="cannot-write"
            ) from error

    def _left(self) -> str | None:
        """Return the name of a file that belongs to a key, None where there is none."""
        found = [self.ledger.path, self.replies.path, *sorted(self.path.glob("splits-*.json"))]
        return next((path.name for path in found if path.exists()), None)

    @property
    def _key(self) -> Path:
        return self.path / "site.key"

    @property
    def prepared(self) -> bool:
        """Whether the key is there."""
        return self._key.exists()

    @property
    def key(self) -> bytes:
        """The site's secret, 32 bytes.

        Raises:
            DataError: it is missing or has another length.
        """
        try:
            key = self._key.read_bytes()
        except FileNotFoundError as error:
            raise DataError(f"{self._key}: the site's key is missing; {LOST}", code="key-lost") from error
        except OSError as error:
            raise DataError(
                f"{self._key}: the site's key cannot be read ({error.strerror})", code="cannot-read"
            ) from error
        if len(key) != KEY_BYTES:
            raise DataError(
                f"{self._key}: a site's key has {KEY_BYTES} bytes, but this one has {len(key)}", code="key-length"
            )
        return key

    def assignment(self, study: str) -> Path:
        """Where the split of a study's cases is stored."""
        return self.path / f"splits-{study.replace(':', '-')}.json"

    def entered(self, study: str) -> Path:
        """Where it is stored which cases the answers of a study were over."""
        return self.path / f"{ENTERED}{study.replace(':', '-')}.json"

    @property
    def ledger(self) -> Ledger:
        """What left the site."""
        return Ledger(self.path / "ledger.jsonl")

    @property
    def replies(self) -> ReplyStore:
        """The bytes that left, and what was charged for them."""
        return ReplyStore(self.path / "replies.db")

    @property
    def scores(self) -> "ScoreCache":
        """What was computed of single cases; nothing in it can be read back into text."""
        from fedprompt.evaluation.runs.score_cache import ScoreCache

        return ScoreCache(self.path / "scores.db", self.key)

    @property
    def chat_replies(self) -> "ChatReplies":
        """What chat models and judges answered, so that it is not paid for twice."""
        from fedprompt.models.chat.replies import ChatReplies

        return ChatReplies(self.path / "chat-replies.db", self.key)

    @property
    def bill(self) -> "CallBill":
        """What chat models and judges took here, study by study."""
        from fedprompt.site.call_bill import CallBill

        return CallBill(self.path / "calls.jsonl")

    @property
    def pause(self) -> Path:
        """While this file is there, the site answers nothing."""
        return self.path / "paused"

    @property
    def policy_file(self) -> Path:
        """What the operator allows, as JSON."""
        return self.path / "policy.json"

    @property
    def policy(self) -> Policy:
        """What the operator allows, with the defaults filled in.

        Raises:
            DataError: the file is damaged.
        """
        return read_policy(self.policy_file)
