"""The links that a user chooses for the parameters of a family."""

from __future__ import annotations

from bayesml.errors import ModelError, did_you_mean
from bayesml.families.records import DistributionalParameter
from bayesml.links import Link, get_link

__all__ = ["links_of"]


def links_of(family: str, dpars: tuple[DistributionalParameter, ...], names: tuple[str, ...]) -> tuple[Link, ...]:
    """Return the links of those names, the default for those left out.

    Raises:
        ModelError: a parameter cannot have the link; the message lists those it can have.
    """
    chosen_names = names + tuple(dpar.links[0] for dpar in dpars[len(names) :])
    return tuple(_link_of(family, dpar, name) for dpar, name in zip(dpars, chosen_names, strict=True))


def _link_of(family: str, dpar: DistributionalParameter, name: str) -> Link:
    shown = name.name if isinstance(name, Link) else name
    if shown not in dpar.links:
        hint = did_you_mean(shown, dpar.links) if isinstance(shown, str) else ""
        raise ModelError(
            f"`{dpar.name}` of the family {family} cannot have the link {shown!r}{hint}; "
            f"possible are {', '.join(dpar.links)}."
        )
    return get_link(shown)
