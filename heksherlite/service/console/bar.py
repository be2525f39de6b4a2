"""The context bar: one field for each context feature, whose values are in the URL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import Request

from heksherlite import names
from heksherlite.service.console.links import CONTEXT, query_of
from heksherlite.service.domain.catalog import Catalog
from heksherlite.service.domain.filters import parse_feature_values
from heksherlite.service.errors import BadRequestError, InvalidError


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
        BadRequestError: A context feature does not exist, or a value cannot be one of a context feature.
    """
    for name, value in request.query_params.multi_items():
        feature = name.removeprefix(prefix)
        if name.startswith(prefix) and value and feature not in catalog.context_features:
            raise BadRequestError(
                f"there is no context feature {feature[:100]!r}; the context features are"
                f" {', '.join(catalog.context_features) or 'none'}"
            )
    fields, context = [], {}
    for feature in catalog.context_features:
        value = request.query_params.get(prefix + feature, "").strip()
        if value and not names.is_context_feature_value(value):
            raise BadRequestError(
                f"{value[:100]!r} cannot be a value of the context feature {feature}: a value has"
                f" {names.CONTEXT_FEATURE_VALUE_ALLOWED}"
            )
        if value:
            context[feature] = value
        if features is None or feature in features:
            fields.append(Field(feature, value, suggestions.get(feature, ()), prefix + feature))
    return Bar(fields, context)


def query_of_context(request: Request) -> str | None:
    """Return the query of a page whose context is in the parameter ``context``, as in the API, or None without it.

    Args:
        request: The request for a page, such as ``/console/?context=environment:dev,user:john``.

    Returns:
        The query with a parameter for each value, such as ``?c.environment=dev&c.user=john``, which fills the context
        bar.

    Raises:
        BadRequestError: The parameter is malformed.
    """
    given = request.query_params.getlist("context")
    if not given:
        return None
    try:
        known = parse_feature_values(",".join(each for each in given if each)) if any(given) else {}
    except InvalidError:
        raise BadRequestError(
            f"{','.join(given)[:100]!r} is not a context; write each context feature once with its value, such as"
            " context=environment:dev,user:john"
        ) from None
    changes = {"context": None} | {CONTEXT + feature: value for feature, value in known.items()}
    return query_of(request.query_params.multi_items(), changes)
