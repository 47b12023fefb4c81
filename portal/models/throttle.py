"""Token buckets that slow down guessing; a table, so that they hold across processes and restarts."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, UtcDateTime


class Throttle(Base):
    """One bucket. `bucket` is a SHA-256 of what is limited (a handle, an address), so tried handles are not kept."""

    __tablename__ = "throttle"

    bucket: Mapped[str] = mapped_column(String(64), primary_key=True)
    tokens: Mapped[float]
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
