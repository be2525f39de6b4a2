"""Writes to configuration groups and to the secrets that they refer to."""

from heksherlite.service.domain.access.state import AccessChanges, AccessDecision, AccessState
from heksherlite.service.domain.groups import Group, check_name, check_references, references, secret_change
from heksherlite.service.errors import BadRequestError, NotFoundError


def put(state: AccessState, group: Group) -> AccessDecision[None]:
    """Store a group in place of the one with the same name.

    Raises:
        BadRequestError: A secret that it refers to does not exist.
    """
    check_references(group, state.secrets)
    before = state.groups.get(group.name)
    if before == group:
        return AccessDecision(None)
    return AccessDecision(None, AccessChanges(groups=(group,), history=(group.change(before),)))


def remove(state: AccessState, name: str) -> AccessDecision[None]:
    """Remove a group.

    Raises:
        NotFoundError: It does not exist.
        BadRequestError: It is attached to an application.
    """
    group = state.groups.get(name)
    if group is None:
        raise NotFoundError(f"there is no configuration group {name!r}")
    users = [each for each in state.applications.values() if name in each.approval.groups]
    if users:
        described = ", ".join(f"{each.identifier} ({each.id})" for each in users[:5])
        raise BadRequestError(f"the group {name!r} is attached to {described}; detach it first")
    return AccessDecision(None, AccessChanges(removed_groups=frozenset({name}), history=(group.removal(),)))


def put_secret(state: AccessState, name: str, value: str) -> AccessDecision[None]:
    """Store a secret in place of the one with the same name; applications get it with their next claim.

    Raises:
        ValueError: The name or the value is malformed.
    """
    check_name("secret", name)
    if not value or "\0" in value:
        raise ValueError("a secret is a text that is not empty and has no NUL character")
    change = secret_change(name, before=name in state.secrets, after=True)
    return AccessDecision(None, AccessChanges(secrets=((name, value),), history=(change,)))


def remove_secret(state: AccessState, name: str) -> AccessDecision[None]:
    """Remove a secret.

    Raises:
        NotFoundError: It does not exist.
        BadRequestError: A group refers to it.
    """
    if name not in state.secrets:
        raise NotFoundError(f"there is no secret {name!r}")
    if users := [group.name for group in state.groups.values() if name in references(group.values)]:
        raise BadRequestError(f"the group {users[0]!r} refers to the secret {name!r}")
    change = secret_change(name, before=True, after=False)
    return AccessDecision(None, AccessChanges(removed_secrets=frozenset({name}), history=(change,)))
