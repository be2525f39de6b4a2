"""Manifests: how an application introduces itself. Nothing of it is proven."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_LONGEST_NAME = 200
_LONGEST_IMAGE = 2_000
_MOST_SCOPES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Who asks for a configuration.

    Attributes:
        identifier: A name of the application that no other one has.
        version: Its version; empty if that is not known yet.
        scopes: What it wants to be allowed; the service may not know some of it.
        image: The URL of a picture of it, given by whoever asks.

    Raises:
        ValueError: A text is too long or cannot be shown, or the identifier is missing.
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
            raise ValueError(f"a manifest may have {_MOST_SCOPES} scopes")
        for scope in self.scopes:
            _check("scope", scope, _LONGEST_NAME)

    @classmethod
    def from_query(cls, parameters: Mapping[str, str]) -> "Manifest | None":
        """Return the manifest that the address of a page brings along, or None if it brings none.

        Raises:
            ValueError: It is malformed.
        """
        if not parameters.get("identifier"):
            return None
        image = parameters.get("image")
        return cls(
            identifier=parameters["identifier"],
            version=parameters.get("version", ""),
            scopes=tuple(parameters.get("scope", "").split()),
            image=None if image in ("", "None") else image,  # what existing clients write for no image
        )

    def parts(self) -> dict[str, str | Sequence[str] | None]:
        """Return it as JSON."""
        return {
            "identifier": self.identifier,
            "version": self.version,
            "scopes": list(self.scopes),
            "image": self.image,
        }


def _check(what: str, text: str, longest: int) -> None:
    if len(text) > longest or not text.isprintable():
        raise ValueError(f"the {what} must be printable and have at most {longest} characters")
