"""Manifests: how applications describe themselves. Nothing in a manifest is verified."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_LONGEST_NAME = 200
_LONGEST_IMAGE = 2_000
_MOST_SCOPES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The description of an application that requests a configuration.

    Attributes:
        identifier: The name of the application.
        version: The version of the application. Empty if it is unknown.
        scopes: The requested scopes. They may include scopes that the service does not know.
        image: The URL of an image.

    Raises:
        ValueError: The identifier is missing, there are too many scopes, or a text is too long or not printable.
    """

    identifier: str
    version: str = ""
    scopes: tuple[str, ...] = ()
    image: str | None = None

    def __post_init__(self) -> None:
        if not self.identifier:
            raise ValueError("a manifest needs an identifier")
        _check("identifier", self.identifier, _LONGEST_NAME)
        _check("version", self.version, _LONGEST_NAME)
        _check("image", self.image or "", _LONGEST_IMAGE)
        if len(self.scopes) > _MOST_SCOPES:
            raise ValueError(f"a manifest can have at most {_MOST_SCOPES} scopes, not {len(self.scopes)}")
        for scope in self.scopes:
            _check("scope", scope, _LONGEST_NAME)

    @classmethod
    def from_query(cls, parameters: Mapping[str, str]) -> "Manifest | None":
        """Return the manifest in the query parameters of a page, or None if they have no identifier.

        Raises:
            ValueError: The manifest is malformed.
        """
        if not parameters.get("identifier"):
            return None
        image = parameters.get("image")
        return cls(
            identifier=parameters["identifier"],
            version=parameters.get("version", ""),
            scopes=tuple(parameters.get("scope", "").split()),
            image=None if image in ("", "None") else image,  # existing clients send either of them for no image
        )

    def parts(self) -> dict[str, str | Sequence[str] | None]:
        """Return the manifest as JSON."""
        return {
            "identifier": self.identifier,
            "version": self.version,
            "scopes": list(self.scopes),
            "image": self.image,
        }


def _check(what: str, text: str, longest: int) -> None:
    if len(text) > longest or not text.isprintable():
        raise ValueError(f"the {what} must be printable and have at most {longest} characters")
