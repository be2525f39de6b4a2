"""Drafts: what a person is about to change, until it is saved, proposed or discarded."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace

from heksherlite import operations as ops
from heksherlite.service.domain.rules import conditions_of


@dataclass(frozen=True, slots=True)
class Draft:
    """Operations that are not made yet.

    Attributes:
        operations: The operations, in order.
        base_revision: The revision that the person looked at. None if there are no operations.
    """

    operations: tuple[ops.AnyOperation, ...] = ()
    base_revision: int | None = None

    def with_operations(self, added: Iterable[ops.AnyOperation], base_revision: int) -> "Draft":
        """Return the draft with more operations. Each replaces the earlier one about the same, if there is one.

        Args:
            added: The operations.
            base_revision: The revision that the person looks at now. An older one of the draft stays.
        """
        operations = list(self.operations)
        places = {subject_of(operation): place for place, operation in enumerate(operations)}
        for operation in added:
            subject = subject_of(operation)
            place = None if subject is None else places.get(subject)
            if place is not None:
                operations[place] = operation
            else:
                places[subject] = len(operations)
                operations.append(operation)
        base = base_revision if self.base_revision is None else min(self.base_revision, base_revision)
        return Draft(tuple(operations), base)

    def without(self, index: int) -> "Draft":
        """Return the draft without an operation, if it has that many."""
        operations = (*self.operations[:index], *self.operations[index + 1 :])
        return replace(self, operations=operations) if operations else Draft()

    def find(self, operation: ops.AnyOperation) -> ops.AnyOperation | None:
        """Return the operation of the draft that is about the same as another one, or None."""
        subject = subject_of(operation)
        if subject is None:
            return None
        return next((each for each in self.operations if subject_of(each) == subject), None)


def subject_of(operation: ops.AnyOperation) -> Hashable | None:
    """Return what an operation is about, if a later operation about the same replaces it, or None."""
    shown = operation.as_json()
    match operation:
        case ops.SetRuleMetadata() | ops.SetSchedule() | ops.SetValue():
            kind: str = operation.op
        case ops.AddRule() | ops.PutRule() | ops.DeleteRule():
            kind = "rule"
        case ops.SetDefault() | ops.ClearDefault():
            return "default", operation.setting
        case ops.SetSettingMetadata() | ops.SetType() | ops.SetConfigurableFeatures():
            return operation.op, operation.setting
        case ops.SetProtection() | ops.SetClientVisible():
            return operation.op, operation.setting
        case _:
            return None
    if "rule_id" in shown:
        return kind, shown["rule_id"]
    return kind, shown["setting"], conditions_of(shown["feature_values"])
