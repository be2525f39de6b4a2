"""The context bar: one field for each context feature, whose values are in the URL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import Request

from heksherlite import names
from heksherlite.service.console.links import CONTEXT
from heksherlite.service.domain.catalog import Catalog
from heksherlite.service.errors import BadRequestError


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the bar."""

    feature: str
    value: str
    suggestions: Sequence[str]
    parameter: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A context bar.

    Attributes:
        fields: The fields, in the order of the context features.
        context: The values that are known.
    """

    fields: Sequence[Field]
    context: Mapping[str, str]

    @property
    def parameters(self) -> dict[str, str]:
        """The context as parameters of a URL."""
        return {CONTEXT + feature: value for feature, value in self.context.items()}


def bar_of(
    request: Request,
    catalog: Catalog,
    suggestions: Mapping[str, Sequence[str]],
    *,
    features: Sequence[str] | None = None,
    prefix: str = CONTEXT,
) -> Bar:
    """Return the context bar of a request.

    Args:
        request: The request.
        catalog: The catalog with the context features.
        suggestions: Values to suggest, by context feature.
        features: The context features to show; None for all.
        prefix: The beginning of the names of the parameters.

    Raises:
        BadRequestError: A value cannot be one of a context feature.
    """
    fields, context = [], {}
    for feature in catalog.context_features:
        value = request.query_params.get(prefix + feature, "").strip()
        if value and not names.is_context_feature_value(value):
            raise BadRequestError(
                f"{value[:100]!r} cannot be a value of the context feature {feature}: a value has letters, digits"
                " and _ . @ + = ~ / -"
            )
        if value:
            context[feature] = value
        if features is None or feature in features:
            fields.append(Field(feature, value, suggestions.get(feature, ()), prefix + feature))
    return Bar(fields, context)
