"""The audit log: one event for every change, in the same transaction."""

from dataclasses import dataclass, replace
from typing import Any

from portal.models import Account, Connection, Event, Host, Instance, Migration, Space, Storage
from portal.services.work import Work

Subject = Account | Connection | Host | Instance | Migration | Space | Storage


@dataclass(frozen=True, slots=True)
class Change:
    """What an event says beside who and when: values before and after (None: there were none), and why."""

    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    reason: str = ""


def record(work: Work, action: str, subject: Subject, change: Change | None = None) -> Event:
    """Add an event about `subject` to the running transaction. `action` is `noun.past-tense`, such as `space.created`.

    Secrets must not be in `change`; a connection is described by its own service, which leaves them out.
    """
    change = change or Change()
    work.session.flush()
    event = Event(
        at=work.now,
        actor_id=work.actor.account_id,
        actor_handle=work.actor.handle,
        action=action,
        before=change.before,
        after=change.after,
        reason=change.reason,
        via=work.actor.via,
        address=work.actor.address,
        request_id=work.actor.request_id,
        **_about(subject),
    )
    work.session.add(event)
    return event


def acting_as(work: Work, account: Account) -> Work:
    """Return the same work done by an account that has just proven itself and is not signed in yet: for the event."""
    return replace(work, actor=replace(work.actor, account_id=account.id, handle=account.handle))


def _about(subject: Subject) -> dict[str, Any]:
    """Return target and audience of an event about `subject`."""
    match subject:
        case Storage():
            return _target("storage", subject.uid, subject.root, storage_id=subject.id, owner_id=subject.owner_id)
        case Migration():
            name = f"{subject.source_root} to {subject.target_root}"
            return _target("migration", subject.uid, name, storage_id=subject.storage_id)
        case Space():
            return _target("space", subject.uid, subject.name, space_id=subject.id, owner_id=subject.owner_id)
        case Instance():
            return _target("instance", subject.uid, subject.slug, instance_id=subject.id, owner_id=subject.owner_id)
        case Connection():
            return _target("connection", subject.uid, subject.name, owner_id=subject.owner_id)
        case Account():
            return _target("account", subject.uid, subject.handle, owner_id=subject.id)
        case Host():
            return _target("host", subject.name, subject.name)


def _target(kind: str, uid: str, name: str, **audience: int | None) -> dict[str, Any]:
    return {"target_type": kind, "target_uid": uid, "target_name": name[:300], **audience}
