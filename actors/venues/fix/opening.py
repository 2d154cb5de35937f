"""From the settings of a venue to its FIX session."""

from pathlib import Path

from actors.venues.fix.config import FixOptions
from actors.venues.fix.dialect import Dialect, load_dialect
from actors.venues.fix.dictionary import dictionary
from actors.venues.fix.engine import EngineSettings
from actors.venues.fix.execution import FixVenue
from actors.venues.fix.instruments import InstrumentNames
from actors.venues.fix.parse import Reading
from actors.venues.fix.schedule import Schedule
from actors.venues.fix.session import SessionSettings
from actors.venues.profile import VenueSettings, variable_name
from trading.errors import ConfigError

USERNAME, PASSWORD = "{VENUE}_FIX_USERNAME", "{VENUE}_FIX_PASSWORD"
_STORE = "~/.local/state/neural-trader/fix"


def open_fix(settings: VenueSettings) -> FixVenue:
    """Return the adapter for one session; not connected yet.

    Raises
    ------
    ConfigError
        If the options are wrong or incomplete.
    """
    options = settings.read_options(FixOptions)
    missing = [n for n in ("port", "sender_comp_id", "target_comp_id") if not getattr(options, n)]
    if missing:
        raise ConfigError(f"[venues.{settings.venue}] needs {', '.join(missing)}.")
    if not (settings.is_live or options.is_test):
        raise ConfigError(
            f"[venues.{settings.venue}] names a session that trades real money; set is_test = true "
            'if it is the venue\'s test environment, or trade with mode = "live".'
        )
    if options.heartbeat_s < 1:
        raise ConfigError(f"[venues.{settings.venue}] heartbeat_s must be at least 1.")
    dialect = load_dialect(options.dialect)
    if (dialect.requests.positions or dialect.requests.collateral) and not options.account:
        raise ConfigError(
            f"[venues.{settings.venue}] needs account: positions are asked for by it."
        )
    folder = Path(options.store_dir or _STORE).expanduser()
    names = InstrumentNames(settings.instruments, settings.venue, dialect)
    record = folder / f"{_name(options)}.record"
    return FixVenue(
        options,
        Reading(account_id=settings.account_id, dialect=dialect, names=names),
        _session(settings, options, dialect, folder),
        record,
    )


def _session(
    settings: VenueSettings, options: FixOptions, dialect: Dialect, folder: Path
) -> SessionSettings:
    return SessionSettings(
        engine=EngineSettings(
            host=options.host,
            port=options.port,
            sender_comp_id=options.sender_comp_id,
            target_comp_id=options.target_comp_id,
            store_dir=str(folder),
            heartbeat_s=options.heartbeat_s,
            logon_timeout_s=options.logon_timeout_s,
            session_times=None,
            reset_on_logon=options.reset_on_logon,
            data_dictionary=str(_dictionary(options, folder)),
        ),
        schedule=_schedule(options),
        texts=dialect.texts,
        clock_interval_s=options.clock_interval_s,
        dictionary="" if options.data_dictionary else dictionary(dialect.groups),
        credentials=_credentials(settings),
    )


def _schedule(options: FixOptions) -> Schedule | None:
    if not options.start_time and not options.end_time:
        return None
    return Schedule(options.start_time, options.end_time, options.time_zone)


def _dictionary(options: FixOptions, folder: Path) -> Path:
    if not options.data_dictionary:
        return folder / f"{_name(options)}.xml"
    path = Path(options.data_dictionary).expanduser()
    if not path.is_file():
        raise ConfigError(f"there is no data dictionary {path}; leave data_dictionary out.")
    return path


def _name(options: FixOptions) -> str:
    return f"{options.sender_comp_id}-{options.target_comp_id}"


def _credentials(settings: VenueSettings) -> dict[int, str]:
    """Return Username (553) and Password (554), as far as they are set."""
    found = {}
    for tag, pattern in ((553, USERNAME), (554, PASSWORD)):
        value = settings.credentials.get(variable_name(pattern, settings.venue), "")
        if value:
            found[tag] = value
    return found
