"""The counters of a database: the latest revision, and the highest ids."""

from dataclasses import dataclass, replace
from datetime import datetime

from heksherlite.service.domain.lineage import NO_NONCE, RevisionId


@dataclass(frozen=True, slots=True)
class Counters:
    """The counters that change with each write.

    ``revision`` counts the writes. ``features_revision`` is the last revision that changed the context features, and
    ``access_revision`` the last one that changed tokens or applications. The ids are the highest ones ever used.
    ``changed_at`` is the time of the last write, in UTC, and never goes back; it is None if a version without history
    made that write.
    """

    database_id: str
    revision: int = 0
    features_revision: int = 0
    last_setting_id: int = 0
    last_rule_id: int = 0
    changed_at: datetime | None = None
    access_revision: int = 0
    revision_nonce: str = NO_NONCE
    features_nonce: str = NO_NONCE
    access_nonce: str = NO_NONCE
    last_proposal_id: int = 0

    @property
    def revision_id(self) -> RevisionId:
        """The name of the revision, which is the name of everything that is stored at it."""
        return RevisionId(self.revision, self.revision_nonce)

    @property
    def features_id(self) -> RevisionId:
        """The name of the revision that last touched the context features."""
        return RevisionId(self.features_revision, self.features_nonce)

    @property
    def access_id(self) -> RevisionId:
        """The name of the revision that last touched tokens, applications or groups."""
        return RevisionId(self.access_revision, self.access_nonce)

    def after_access_change(self, nonce: str) -> "Counters":
        """Return the counters after a write of tokens, applications or groups, which drew a nonce."""
        number = self.revision + 1
        return replace(self, revision=number, revision_nonce=nonce, access_revision=number, access_nonce=nonce)

    def dated(self, now: datetime) -> "Counters":
        """Return the counters with the time of their write."""
        return replace(self, changed_at=max(now, self.changed_at or now))
