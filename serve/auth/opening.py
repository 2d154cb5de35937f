"""From settings to somebody who knows who may come in."""

from datetime import timedelta
from pathlib import Path

from actors.journal.open import open_journal
from serve.auth.access import Access
from serve.auth.gate import Gate
from serve.auth.secret_file import read_secret
from serve.auth.settings import AccessSettings
from serve.auth.tokens import Tokens


def open_gate(settings: AccessSettings) -> Gate:
    """Return the gate of one application; users and keys are opened when it asks for them.

    Raises
    ------
    AuthError, ConfigError, JournalUnavailable
        As `open_access`.
    """
    return Gate(settings, open_access(settings) if settings.is_on else None)


def open_access(settings: AccessSettings) -> Access:
    """Return the access of a cluster, over a journal connection of its own.

    Raises
    ------
    AuthError
        If the secret cannot be used.
    ConfigError, JournalUnavailable
        If the journal cannot.
    """
    tokens = Tokens(
        read_secret(Path(settings.secret_file)),
        settings.cluster,
        timedelta(hours=settings.token_hours),
    )
    return Access(
        open_journal(settings.journal),
        settings.cluster,
        tokens,
        session=timedelta(days=settings.session_days),
    )
