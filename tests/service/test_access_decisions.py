"""Decisions about tokens, applications, device codes, groups and sessions, as a state machine without a database."""

import asyncio
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from heksherlite.service.domain.access import applications, device_codes, groups, sessions, tokens
from heksherlite.service.domain.access.state import AccessDecision, AccessState
from heksherlite.service.domain.applications import Approval, Status, invited, registered
from heksherlite.service.domain.credentials import application_of
from heksherlite.service.domain.device_codes import LIFETIME, CodeState, code_digest
from heksherlite.service.domain.groups import Group, references
from heksherlite.service.domain.manifests import Manifest
from heksherlite.service.domain.sessions import Session
from heksherlite.service.domain.tokens import Scope, new_token
from heksherlite.service.errors import RequestError
from heksherlite.service.storage.access import AccessStore, Lookup
from heksherlite.service.storage.sqlite import SqliteDatabase

T = TypeVar("T")

START = 1_800_000_000
IDENTIFIERS = st.sampled_from(["shop", "till"])
CODES = st.sampled_from(["AAAA", "BBBB"])
NAMES = st.sampled_from(["one", "two"])
APPROVALS = st.builds(
    Approval,
    scopes=st.sets(st.sampled_from([Scope.READ, Scope.ADMIN])).map(frozenset),
    groups=st.lists(NAMES, unique=True).map(tuple),
)
FORWARD = {
    CodeState.WAITING: {CodeState.WAITING, CodeState.OPENED, CodeState.EXPIRED},
    CodeState.OPENED: {CodeState.OPENED, CodeState.APPROVED, CodeState.DENIED, CodeState.EXPIRED},
    CodeState.APPROVED: {CodeState.APPROVED, CodeState.USED, CodeState.DENIED, CodeState.EXPIRED},
    CodeState.EXPIRED: {CodeState.EXPIRED, CodeState.DENIED},  # it is denied once its application is revoked
    CodeState.DENIED: {CodeState.DENIED},
    CodeState.USED: {CodeState.USED},
}


class Access(RuleBasedStateMachine):
    """Operators and programs that act in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.state = AccessState(context_features=("user",))
        self.now = START
        self.made = 0
        self.one_time_tokens: list[str] = []
        self.collected: list[bytes] = []
        self.redeemed: list[str] = []

    def decide(
        self,
        decide: Callable[[AccessState], AccessDecision[T]],
        *,
        code: str = "",  # noqa: ARG002  # what a database has to look up
        session: bytes | None = None,  # noqa: ARG002
    ) -> T | None:
        """Make a decision. A refused decision changes nothing."""
        before = self.state
        try:
            decision = decide(self.state)
        except (RequestError, ValueError):
            return None
        self.state = self.state.after(decision.changes)
        if not decision.changes:
            assert self.state == before
        for digest, known in before.device_codes.items():
            if digest in self.state.device_codes:
                assert self.state.device_codes[digest].state(self.now) in FORWARD[known.state(self.now)]
        return decision.result

    def unique(self) -> str:
        self.made += 1
        return f"{self.made:08x}"

    @rule(seconds=st.sampled_from([1, LIFETIME - 1, LIFETIME, 2 * LIFETIME + 1]))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @rule(name=NAMES)
    def add_token(self, name: str) -> None:
        self.decide(partial(tokens.add, token=new_token(name, Scope, now=self.now)[1]))

    @rule(name=NAMES)
    def remove_token(self, name: str) -> None:
        self.decide(partial(tokens.remove, name=name))

    @rule()
    def add_first_token(self) -> None:
        had_tokens = bool(self.state.tokens)
        added = self.decide(partial(tokens.add_first, token=new_token("admin", Scope, now=self.now)[1]))
        assert added is not had_tokens

    @rule(code=CODES, identifier=IDENTIFIERS)
    def start_code(self, code: str, identifier: str) -> None:
        if code_digest(code) not in self.state.device_codes:  # codes of the service are random
            manifest = Manifest(identifier=identifier, scopes=("read",))
            self.decide(
                partial(device_codes.start, code=code, manifest=manifest, address=None, now=self.now), code=code
            )

    @rule(code=CODES, identifier=st.none() | IDENTIFIERS)
    def open_page(self, code: str, identifier: str | None) -> None:
        manifest = None if identifier is None else Manifest(identifier=identifier)
        self.decide(
            partial(device_codes.open_page, code=code, manifest=manifest, address=None, now=self.now), code=code
        )

    @rule(code=CODES, approval=APPROVALS)
    def approve(self, code: str, approval: Approval) -> None:
        decide = partial(device_codes.approve, code=code, approval=approval, application_id=self.unique(), now=self.now)
        self.decide(decide, code=code)

    @rule(code=CODES)
    def deny(self, code: str) -> None:
        self.decide(partial(device_codes.deny, code=code, now=self.now), code=code)

    @rule(code=CODES)
    def collect(self, code: str) -> None:
        known = self.state.device_codes.get(code_digest(code))
        random_part = self.unique().rjust(43, "x")
        token = self.decide(partial(device_codes.collect, code=code, random_part=random_part, now=self.now), code=code)
        assert (token is not None) == (known is not None and known.state(self.now) is CodeState.APPROVED)
        if token is not None:
            application = self.state.applications[application_of("claim", token) or ""]
            assert application.status is Status.ACTIVE
            assert application.with_claim_token(token, self.now) == application

    @rule(identifier=IDENTIFIERS, approval=APPROVALS)
    def invite(self, identifier: str, approval: Approval) -> None:
        one_time_token, application = invited(identifier, approval, now=self.now, expires_at=self.now + LIFETIME)
        self.decide(partial(applications.add, application=application))
        self.one_time_tokens.append(one_time_token)

    @rule(data=st.data(), identifier=IDENTIFIERS)
    def redeem(self, data: st.DataObject, identifier: str) -> None:
        if self.one_time_tokens:
            one_time_token = data.draw(st.sampled_from(self.one_time_tokens))
            decide = partial(
                applications.redeem,
                one_time_token=one_time_token,
                manifest=Manifest(identifier=identifier),
                random_part=self.unique().rjust(43, "x"),
                now=self.now,
            )
            if self.decide(decide) is not None:
                assert one_time_token not in self.redeemed
                self.redeemed.append(one_time_token)

    @rule(identifier=IDENTIFIERS, approval=APPROVALS)
    def register(self, identifier: str, approval: Approval) -> None:
        self.decide(partial(applications.add, application=registered(identifier, approval, now=self.now)))

    @rule(identifier=IDENTIFIERS, name=NAMES)
    def attach_group(self, identifier: str, name: str) -> None:
        def attach(approval: Approval) -> Approval:
            return replace(approval, groups=tuple(dict.fromkeys((*approval.groups, name))))

        self.decide(partial(applications.change_approval, ids=self.ids(identifier), edit=attach))

    def ids(self, identifier: str) -> list[str]:
        return [each.id for each in self.state.applications.values() if each.identifier == identifier]

    @rule(identifier=IDENTIFIERS)
    def revoke(self, identifier: str) -> None:
        self.decide(partial(applications.revoke, ids=self.ids(identifier)))

    @rule(name=NAMES, secret=st.none() | NAMES)
    def put_group(self, name: str, secret: str | None) -> None:
        self.decide(partial(groups.put, group=Group(name, {"a": 1 if secret is None else {"$secret": secret}})))

    @rule(name=NAMES)
    def remove_group(self, name: str) -> None:
        self.decide(partial(groups.remove, name=name))

    @rule(name=NAMES, value=st.sampled_from(["", "hunter2", "swordfish"]))
    def put_secret(self, name: str, value: str) -> None:
        self.decide(partial(groups.put_secret, name=name, value=value))

    @rule(name=NAMES)
    def remove_secret(self, name: str) -> None:
        self.decide(partial(groups.remove_secret, name=name))

    @rule(digest=st.sampled_from([b"1", b"2"]), data=st.data())
    def begin_session(self, digest: bytes, data: st.DataObject) -> None:
        if digest not in self.state.sessions:  # the secrets of sessions are random
            prefix = data.draw(st.sampled_from([*self.state.tokens, "hkl_00000000", None]))
            session = Session(
                digest=digest,
                public_prefix=prefix,
                created_at=self.now,
                last_used_at=self.now,
                expires_at=self.now + LIFETIME,
            )
            begun = self.decide(partial(sessions.begin, session=session, now=self.now), session=digest)
            assert begun is (prefix is None or prefix in self.state.tokens)

    @rule(digest=st.sampled_from([b"1", b"2"]))
    def end_session(self, digest: bytes) -> None:
        self.decide(partial(sessions.end, digest=digest), session=digest)
        assert sessions.find(self.state, digest, self.now, LIFETIME) is None

    @rule(digest=st.sampled_from([b"1", b"2"]))
    def use_session(self, digest: bytes) -> None:
        active = sessions.find(self.state, digest, self.now, LIFETIME)
        self.decide(partial(sessions.touch, digest=digest, now=self.now), session=digest)
        if active is not None:
            assert sessions.find(self.state, digest, self.now + LIFETIME - 1, 2 * LIFETIME) in (
                None,  # it expires
                replace(active, session=self.state.sessions[digest]),
            )

    @invariant()
    def nothing_refers_to_what_does_not_exist(self) -> None:
        state = self.state
        assert all(code.application_id in {None, *state.applications} for code in state.device_codes.values())
        assert {session.public_prefix for session in state.sessions.values()} <= {None, *state.tokens}
        assert {name for each in state.applications.values() for name in each.approval.groups} <= state.groups.keys()
        assert {name for group in state.groups.values() for name in references(group.values)} <= state.secrets.keys()

    @invariant()
    def what_must_be_unique_is_unique(self) -> None:
        names = [token.name for token in self.state.tokens.values()]
        public = [each.identifier for each in self.state.applications.values() if each.status is Status.PUBLIC]
        assert len(names) == len(set(names))
        assert len(public) == len(set(public))

    @invariant()
    def only_programs_that_came_have_tokens(self) -> None:
        for application in self.state.applications.values():
            has_token = application.status in {Status.ACTIVE, Status.PUBLIC}
            assert (application.token() is not None) is has_token


class StoredAccess(Access):
    """The same with a SQLite file, which must contain the same state after each decision."""

    @initialize()
    def prepare(self) -> None:
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.database = SqliteDatabase(Path(self.folder.name) / "access.db")
        self.runner.run(self.database.prepare())
        self.state = replace(self.state, context_features=())
        self.store = AccessStore(self.database)

    def decide(
        self, decide: Callable[[AccessState], AccessDecision[T]], *, code: str = "", session: bytes | None = None
    ) -> T | None:
        lookup = Lookup(
            code=code_digest(code) if code else None,
            session=session,
            codes_expired_before=self.now - device_codes.KEPT_SECONDS,
        )
        with suppress(RequestError, ValueError):
            self.runner.run(self.store.write(decide, lookup=lookup))
        return super().decide(decide, code=code, session=session)

    @invariant()
    def the_database_has_the_same(self) -> None:
        if not hasattr(self, "store"):
            return
        fresh = AccessStore(self.database)
        stored = self.runner.run(fresh.read())
        keys = stored.signing_keys  # each database draws its own
        assert replace(self.state, device_codes={}, sessions={}, device_code_count=0, signing_keys=keys) == stored
        for digest, code in self.state.device_codes.items():
            assert self.runner.run(fresh.read(Lookup(code=digest))).device_codes == {digest: code}
        for digest in (b"1", b"2"):
            found = self.runner.run(fresh.read(Lookup(session=digest))).sessions
            assert found == {digest: self.state.sessions[digest]} if digest in self.state.sessions else not found

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.runner.run(self.database.close())
            self.runner.close()
            self.folder.cleanup()


@pytest.mark.property
def test_invariants_hold_after_any_decisions() -> None:
    """Tokens are issued once, codes only move forward, and no reference is dangling."""
    run_state_machine_as_test(Access, settings=settings(stateful_step_count=40, deadline=None))


@pytest.mark.thorough
@pytest.mark.property
def test_the_database_holds_what_was_decided() -> None:
    """After any order of decisions, the tables hold what the decisions say."""
    run_state_machine_as_test(
        StoredAccess,
        settings=settings(max_examples=settings().max_examples // 5, stateful_step_count=20, deadline=None),
    )
