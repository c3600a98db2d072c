"""A bank in a PostgreSQL database, through psycopg 3 (the extra ``postgres``).

PostgreSQL would let many write at once and number their rows in any order. The bank writes a few times a second, and
what stands first stays: so writers take one advisory lock each, and the numbers mean the same as in a file.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import URL, Connection, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError

from fedprompt.errors import BankError
from fedprompt.extras import pip_command

__all__ = ["PostgresDatabase", "postgres_at"]

LOCK = 0x66656470726F6D70  # "fedpromp"
WAIT_MILLISECONDS = 30_000
SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")


def postgres_at(url: str) -> "PostgresDatabase":
    """Return the database that a URL names.

    Raises:
        BankError: it is no PostgreSQL URL, or psycopg is not installed.
    """
    # What cannot be parsed is not shown: it may hold a password.
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise BankError(
            "FEDPROMPT_BANK_URL is not a URL; write postgresql://USER@HOST/DATABASE", code="bank-address"
        ) from error
    if parsed.drivername not in SCHEMES:
        raise BankError(
            f"FEDPROMPT_BANK_URL starts with '{parsed.drivername}', but a bank needs PostgreSQL "
            "(postgresql://USER@HOST/DATABASE), or, without that variable, an SQLite file in the home",
            code="bank-address",
        )
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise BankError(
            "FEDPROMPT_BANK_URL names a PostgreSQL database, but psycopg is not installed; run: "
            f"{pip_command('postgres')}",
            code="package-missing",
        ) from error
    return PostgresDatabase(parsed.set(drivername="postgresql+psycopg"))


@dataclass(frozen=True)
class PostgresDatabase:
    """One database that holds the bank and nothing else."""

    url: URL

    @property
    def name(self) -> str:
        """The URL without its password and options."""
        return self.url.set(drivername="postgresql", query={}).render_as_string(hide_password=True)

    def engine(self) -> Engine:
        """Return an engine; making it touches nothing."""
        # A connection that the server has dropped in the meantime is found out and replaced.
        return create_engine(self.url, pool_size=5, max_overflow=20, pool_pre_ping=True)

    def begin_reading(self, connection: Connection) -> Connection:
        """See one state, as readers of a file do."""
        return connection.execution_options(isolation_level="REPEATABLE READ")

    def begin_writing(self, connection: Connection) -> Connection:
        """Leave BEGIN as it is; the lock is the first statement."""
        return connection.execution_options(isolation_level="READ COMMITTED")

    def took_lock(self, connection: Connection) -> None:
        """Wait for the bank's write lock, which goes with the transaction."""
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {WAIT_MILLISECONDS}")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")

    def damages(self, connection: Connection) -> Iterator[str]:
        """Yield nothing: the server keeps its own files."""
        return iter(())

    def failure(self, error: BaseException | None) -> BankError:
        """Return what went wrong and what to do."""
        state = str(getattr(error, "sqlstate", None) or "")
        where = f"the bank {self.name}"
        if state == "53100":
            return BankError(f"the disk that holds {where} is full; free some space and try again", code="disk-full")
        if state == "25006":
            return BankError(f"{where} is read-only; connect to the server that accepts writes", code="bank-read-only")
        if state in ("55P03", "57014", "40P01"):
            return BankError(
                f"{where} was in use for more than {WAIT_MILLISECONDS // 1000} s; try again", code="bank-busy"
            )
        if state.startswith("28"):
            return BankError(f"{where} refused the user or the password; check FEDPROMPT_BANK_URL", code="bank-denied")
        if state == "3D000":
            return BankError(
                f"{where} does not exist; create the database, or check FEDPROMPT_BANK_URL", code="no-such-database"
            )
        if state == "42501":
            return BankError(
                f"the user of {where} lacks a permission; make it the owner of the database",
                code="bank-denied",
            )
        if not state or state.startswith("08") or state.startswith("57P"):
            return BankError(
                f"{where} does not answer; check that the server is running, and check FEDPROMPT_BANK_URL",
                code="bank-unreachable",
            )
        told = str(error).splitlines()[0] if str(error) else type(error).__name__
        return BankError(
            f"{where} refused the request ({told}); check it with 'fedprompt bank verify'", code="bank-refused"
        )
