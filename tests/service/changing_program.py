"""A program that changes values of rules with ``base_revision``, and prints what became of each change."""

import json
import sys
from random import Random

from heksherlite.admin import AdminClient, ChangeConflictsError, PutRule


def main(url: str, seed: int, changes: int) -> None:
    """Make changes, and print one line of JSON for each."""
    random = Random(seed)  # noqa: S311 - no secret
    with AdminClient(url) as admin:
        for number in range(changes):
            users = random.sample(["a", "b", "c"], random.randint(1, 2))
            shown = admin.explain(["cache_ttl"])  # the values and the revision are of the same moment
            base = shown.revision
            seen = {rule.feature_values["user"]: rule.value for rule in shown.explanations["cache_ttl"].rules}
            value = seed * 1000 + number  # nobody else writes it
            operations = [PutRule(setting="cache_ttl", feature_values={"user": user}, value=value) for user in users]
            outcome = {"base": base, "seen": {user: seen[user] for user in users}, "value": value}
            try:
                result = admin.change(operations, base_revision=base, reason=f"writer {seed}")
            except ChangeConflictsError as error:
                conflicts = [[each.operation, each.reason] for each in error.conflicts]
                sys.stdout.write(json.dumps({**outcome, "conflicts": conflicts}) + "\n")
            else:
                sys.stdout.write(json.dumps({**outcome, "revision": result.revision}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
