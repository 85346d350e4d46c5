"""Notes on a point estimate, as sentences and as warnings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bayesml.errors import warn_user

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractPointFit

__all__ = ["notes", "warn_about_point"]


def notes(fit: AbstractPointFit) -> tuple[str, ...]:
    """Return one sentence for each thing worth knowing: dropped columns, singular fits, doubtful convergence."""
    return (*_dropped(fit), *_singular(fit), *(_sentence(text) for text in fit.estimate.messages))


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:].rstrip(".") + "."


def _dropped(fit: AbstractPointFit) -> tuple[str, ...]:
    dropped = fit.estimate.dropped
    if not dropped:
        return ()
    listed = ", ".join(f"`{d}`" for d in dropped)
    are = "columns are linear combinations" if len(dropped) > 1 else "column is a linear combination"
    return (f"The fixed-effects {are} of earlier ones and dropped: {listed}.",)


def _singular(fit: AbstractPointFit) -> tuple[str, ...]:
    found = fit.estimate.singular
    if not found:
        return ()
    advice = 'Simplify the group terms, or use method="map" or "nuts", whose priors keep variances off zero'
    return (f"Singular fit: {'; '.join(found)}. {advice}.",)


def warn_about_point(fit: AbstractPointFit) -> None:
    """Warn about everything in ``notes``."""
    for note in notes(fit):
        warn_user(note)
