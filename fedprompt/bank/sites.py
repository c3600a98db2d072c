"""Who the sites are. A site is who holds its key, so two banks may both have a 'site-a' and never mean the same one.

Scores stand under a label. Here the label is the site's name; a site that comes with a merge, and whose name another
one has here, is listed under its name and the beginning of its fingerprint.
"""

from sqlalchemy import Connection, select, union

from fedprompt.bank.database import Database
from fedprompt.bank.inserting import insert_once
from fedprompt.bank.schema import about, comparisons, scores, sites
from fedprompt.bank.texts import now
from fedprompt.errors import BankError

__all__ = ["SiteShelf", "identities", "label_for"]

SHOWN = 6


class SiteShelf:
    """The part of the bank that knows the sites."""

    _database: Database

    def register_site(self, name: str, identity: str) -> None:
        """Say whose name this is; the first who has a name here keeps it.

        Args:
            name: what the site's scores are recorded under.
            identity: the fingerprint of its key.
        """
        row = {"identity": identity, "label": name, "name": name, "created": now()}
        with self._database.write() as connection:
            connection.execute(insert_once(connection, sites).values(row))

    def sites(self) -> dict[str, str]:
        """Return label -> identity of every site that the bank has scores of."""
        with self._database.read() as connection:
            return identities(connection)


def identities(connection: Connection) -> dict[str, str]:
    """Return label -> identity; a site whose key is not known is told apart by the bank's id and its name."""
    bank = connection.execute(select(about.c.value).where(about.c.key == "bank")).scalar_one()
    known = {row.label: row.identity for row in connection.execute(select(sites))}
    seen = union(select(scores.c.site), select(comparisons.c.site))
    labels = {str(label) for label in connection.execute(seen).scalars()}
    return {label: known.get(label) or f"{bank}/{label}" for label in sorted(labels | set(known))}


def label_for(connection: Connection, name: str, identity: str) -> str:
    """Return the label of a site from another bank, made where it has none here.

    Raises:
        BankError: no label is left for it.
    """
    here = {identity: label for label, identity in identities(connection).items()}
    if identity in here:
        return here[identity]
    taken, digits = set(here.values()), identity.rpartition(":")[2].partition("/")[0]
    candidates = (name, *(f"{name}~{digits[:length]}" for length in range(SHOWN, len(digits) + 1)))
    label = next((one for one in candidates if one not in taken), None)
    if label is None:
        raise BankError(
            f"site '{name}' ({identity}) cannot be listed: every label for it is another site's", code="no-free-label"
        )
    row = {"identity": identity, "label": label, "name": name, "created": now()}
    connection.execute(insert_once(connection, sites).values(row))
    return label
