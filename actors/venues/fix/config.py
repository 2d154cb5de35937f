"""What `[venues.<name>]` may say of a FIX session."""

import msgspec


class FixOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of one FIX session.

    Attributes
    ----------
    dialect : str
        `standard`, `lime`, or the path of a TOML file that describes the venue.
    host, port : str, int
        Where the venue listens; TLS is for a tunnel (stunnel) in front of it.
    sender_comp_id, target_comp_id : str
        Who we are and who the venue is, as agreed with it (49, 56).
    is_test : bool
        The session is the venue's test environment: no real money. Any other is opened only with `mode = "live"`.
    account : str
        Account (1) in every order; empty: none is sent.
    heartbeat_s : int
        Heartbeat interval (108) in seconds, at least 1. A mute session is cut after 2.4 of them.
    store_dir : str
        Folder of sequence numbers and of the record of orders and executions; it must survive restarts.
        Empty: `~/.local/state/neural-trader/fix`.
    start_time, end_time : str
        Daily session, `HH:MM:SS` in `time_zone`: sequence numbers begin again at each start. Empty:
        the session never ends.
    time_zone : str
        IANA name, for example `America/New_York`.
    reset_on_logon : bool
        Begin at number 1 at every logon (141=Y). The venue then replays nothing: fills that were missed
        while we were away are not found.
    logon_timeout_s, answer_timeout_s : float
        How long to wait for the answer to a logon, and to any other message.
    clock_interval_s : float
        Pause between two looks at the venue's clock.
    keep_days : int
        How long the record keeps orders and executions.
    data_dictionary : str
        Path of a QuickFIX dictionary to check the venue's messages against. What it does not allow is turned
        away, an execution too: empty is the dictionary of the adapter, which allows everything.
    """

    dialect: str = "standard"
    host: str = "127.0.0.1"
    port: int = 0
    sender_comp_id: str = ""
    target_comp_id: str = ""
    is_test: bool = False
    account: str = ""
    heartbeat_s: int = 30
    store_dir: str = ""
    start_time: str = ""
    end_time: str = ""
    time_zone: str = "UTC"
    reset_on_logon: bool = False
    logon_timeout_s: float = 10.0
    answer_timeout_s: float = 10.0
    clock_interval_s: float = 60.0
    keep_days: int = 7
    data_dictionary: str = ""
