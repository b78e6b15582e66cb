"""What the options of every gate, refresh and control have in common."""

from pydantic import BaseModel, ConfigDict, Field


class Options(BaseModel):
    """Frozen, strictly typed options; unknown names are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class RefreshOptions(Options):
    """Options that every refresh has."""

    period: int | None = Field(
        default=None, ge=1, description="epochs between two events; default max(1, epochs // 25)"
    )

    def events(self, epochs: int) -> list[int]:
        """Epochs (from 0) after which an event fires: every `period`-th, neither the first nor the last.

        Source: the schedule of Gorbett & Whitley's training script; 250 epochs give 24 events at
        period 10, 82 at 3 and 248 at 1.

        Examples:
            >>> RefreshOptions(period=2).events(8)
            [2, 4, 6]
        """
        period = self.period or default_period(epochs)
        return [epoch for epoch in range(1, epochs - 1) if epoch % period == 0]


def default_period(epochs: int) -> int:
    """Epochs between two events when the study does not say: `max(1, epochs // 25)`."""
    return max(1, epochs // 25)
