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
    period_steps: int | None = Field(
        default=None, ge=1, description="steps between two events, in place of `period`"
    )

    def event_epochs(self, epochs: int) -> list[int]:
        """Epochs (from 0) after which an event fires: every `period`-th, neither the first nor the last.

        Source: the schedule of Gorbett & Whitley's training script; 250 epochs give 24 events at
        period 10, 82 at 3 and 248 at 1.

        Examples:
            >>> RefreshOptions(period=2).event_epochs(8)
            [2, 4, 6]
        """
        if self.period_steps:
            return []
        period = self.period or default_period(epochs)
        return [epoch for epoch in range(1, epochs - 1) if epoch % period == 0]

    def fires_before(self, step: int) -> bool:
        """Whether an event fires before a step (from 0, counted over the whole training).

        Source: Chijiwa et al. (NeurIPS 2021), whose script redraws when (step + 1) mod K = 0.

        Examples:
            >>> [step for step in range(10) if RefreshOptions(period_steps=3).fires_before(step)]
            [2, 5, 8]
        """
        return self.period_steps is not None and (step + 1) % self.period_steps == 0


class TrainedOptions(Options):
    """Options of controls that train the weights themselves."""

    learning_rate: float = Field(
        default=0.01,
        gt=0,
        le=3.4e38,
        description="learning rate on the weights at the start, in place of the recipe's",
    )


def default_period(epochs: int) -> int:
    """Epochs between two events when the study does not say: `max(1, epochs // 25)`."""
    return max(1, epochs // 25)
