"""People who sign in, for pages that run without a server."""

import time
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

__all__ = ["AUTH", "let_in", "write_people"]

AUTH = {
    "redirect_uri": "https://prompts.example.org/oauth2callback",
    "cookie_secret": "c" * 32,
    "client_id": "fedprompt",
    "client_secret": "s",
    "server_metadata_url": "https://id.example.org/.well-known/openid-configuration",
}


def write_people(home: Path, text: str = 'claim = "groups"\noperator = ["ops"]\nengineer = ["eng"]\n') -> None:
    """Write who has which role."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = home / "people.toml"
    path.write_text(text)
    path.chmod(0o600)


def let_in(at: AppTest, name: str | None, *groups: str, hours_ago: float = 0.0, **claims: Any) -> AppTest:
    """Run a page as somebody who signed in; as somebody who did not where there is no name."""
    at.secrets = {"auth": AUTH}
    who = {"iss": "https://id.example.org", "sub": name, "name": name, "iat": time.time() - 3600 * hours_ago}
    at.user = (
        {"is_logged_in": False} if name is None else {"is_logged_in": True, **who, "groups": list(groups), **claims}
    )
    return at.run()
