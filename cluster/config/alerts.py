"""Configuration of `trader alerts`: whom to tell what, and when."""

import re
from datetime import time
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from cluster.config.sections import Count, Section, UserPath

_QUIET = re.compile(r"(\d\d:\d\d)-(\d\d:\d\d)")


class AlertsConfig(Section):
    """Who is told when somebody must look. Addresses are secrets: ALERT_URLS or a private file holds them."""

    urls_file: UserPath = Field(
        default=Path(),
        description="File with one Apprise address per line (0600); ALERT_URLS comes first.",
        json_schema_extra={"default": "<state_dir>/alert_urls"},
    )
    min_severity: Literal["warning", "critical"] = Field(
        default="warning", description="Least severe alert that is told."
    )
    quiet_hours: str = Field(
        default="",
        description="UTC, `22:00-06:00`: only critical alerts are told then; others wait.",
    )
    repeat_after_min: Count = Field(
        default=60, description="A firing alert is told again after so long (min)."
    )
    max_per_minute: Annotated[int, Field(ge=2)] = Field(
        default=10, description="Messages a minute; what is above goes out as one."
    )
    interval_s: Annotated[float, Field(gt=0)] = Field(
        default=2.0, description="Time between two looks at the cluster (s)."
    )

    @field_validator("quiet_hours")
    @classmethod
    def _two_times(cls, text: str) -> str:
        if text and not _QUIET.fullmatch(text):
            raise ValueError("must be like 22:00-06:00 (UTC), or empty")
        for part in text.split("-") if text else ():
            time.fromisoformat(part)
        return text

    @property
    def quiet(self) -> tuple[time, time] | None:
        """From and to (UTC)."""
        if not self.quiet_hours:
            return None
        begin, end = self.quiet_hours.split("-")
        return time.fromisoformat(begin), time.fromisoformat(end)
