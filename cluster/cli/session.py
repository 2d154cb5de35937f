"""What every command does first: logs in their place."""

from cluster.config import Config
from cluster.logs import set_up_logs
from trading.errors import ConfigError


def prepare(config: Config, *, process: str, quiet: bool) -> None:
    """Set up the logs of a command in the state folder.

    Raises
    ------
    ConfigError
        If the state folder cannot be written.
    """
    folder = config.cluster.state_dir / "logs"
    try:
        set_up_logs(
            config.logging.level, config.logging.format, folder, process=process, quiet=quiet
        )
    except OSError as error:
        raise ConfigError(
            f"{folder} cannot be written ({error.strerror}); set cluster.state_dir to a folder of "
            "yours, or change its owner."
        ) from None
