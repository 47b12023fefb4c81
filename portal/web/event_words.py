"""Events in words: one wording for the storage overview, a migration's story and the events pages."""

import re
from collections.abc import Mapping
from typing import Any

from flask import Flask
from markupsafe import Markup

from portal.services.event_log import EventRow
from portal.services.migrations.progress import StoryRow
from portal.web.migration_pace import story_line

#: What each event says. Before the bar: the event alone; with what follows: a sentence about "it", after a name.
#: `{name}` stands for a value after (or before) the change.
PHRASES: Mapping[str, str] = {
    "account.changed": "changed the account",
    "account.created": "made the account",
    "account.link-made": "made a one-time link",
    "account.password-changed": "changed the password",
    "account.signed-in": "signed in",
    "account.signed-out": "signed out",
    "connection.changed": "changed| it",
    "connection.created": "added| it",
    "connection.deleted": "deleted| it",
    "connection.scope-added": "let it serve {scope}",
    "connection.scope-removed": "took {scope} from it",
    "connection.secret-replaced": "entered a new secret",
    "host.added": "added| it",
    "host.changed": "changed| it",
    "instance.attached": "attached it to {database}",
    "instance.changed": "changed| it",
    "instance.created": "made| it",
    "instance.default-switched": "made {default} the default",
    "instance.detached": "detached it from {database}",
    "instance.keep-local-switched": "switched keeping artifacts local",
    "instance.registry-checked": "looked at its database again",
    "instance.root-changed": "names a location's new root",
    "instance.registry-taken-over": "took differences over from its database",
    "instance.role-granted": "gave {handle} {role}| on it",
    "instance.role-revoked": "took {role} from {handle}",
    "instance.space-attached": "opened it to the space {space}",
    "instance.space-detached": "closed it to the space {space}",
    "migration.cancel-requested": "asked to cancel| it",
    "migration.cancelled": "cancelled| it",
    "migration.cancelling": "began to cancel| it",
    "migration.certificate-issued": "was given the first certificate of this state",
    "migration.changes-found": "found changes at the source",
    "migration.changes-requested": "asked to copy what changed",
    "migration.check-requested": "asked to check| it again",
    "migration.checking": "began to check and list both sides",
    "migration.copied": "ended copying",
    "migration.created": "asked for the plan",
    "migration.cut-over": "cut over to the new root",
    "migration.cut-over-requested": "asked to cut over",
    "migration.failed": "failed",
    "migration.fence-lifted": "lifted the fence",
    "migration.fence-raised": "raised the fence",
    "migration.fenced": "began the cut-over",
    "migration.limits-changed": "changed the limits",
    "migration.objects-retry-requested": "asked to retry single objects",
    "migration.pause-requested": "asked to pause| it",
    "migration.paused": "paused| it",
    "migration.planned": "made the plan",
    "migration.released": "ended the soak and kept the source",
    "migration.resume-requested": "asked to resume| it",
    "migration.resumed": "resumed| it",
    "migration.retried": "began to retry",
    "migration.retry-requested": "asked to retry",
    "migration.rollback-requested": "asked to roll back",
    "migration.rollback-stuck": "could not roll back",
    "migration.rolled-back": "rolled back to the old root",
    "migration.rolling-back": "began to roll back",
    "migration.rot-accepted": "chose to copy what is not as LaminDB recorded it as it is",
    "migration.soaking": "began the soak: both roots are kept",
    "migration.start-requested": "asked to start| it",
    "migration.start-withdrawn": "took the start back",
    "migration.started": "began to copy",
    "migration.stopped": "stopped for attention",
    "migration.swept": "looked at the old root",
    "migration.times-changed": "changed when it may copy",
    "migration.verified": "verified every object",
    "migration.waiting": "waits for its time",
    "migration.went-on": "went on by itself",
    "organisation.changed": "changed| it",
    "organisation.created": "made| it",
    "organisation.member-removed": "removed {handle}",
    "organisation.member-set": "made {handle} {role}",
    "server-grant.given": "opened {root}",
    "server-grant.revoked": "closed {root}",
    "space.changed": "changed| it",
    "space.created": "made| it",
    "space.role-granted": "gave {handle} {role}| in it",
    "space.role-revoked": "took {role} from {handle}",
    "storage.changed": "changed the record",
    "storage.checked": "ran the checks",
    "storage.connected": "connected| it",
    "storage.deleted": "deleted| it",
    "storage.deletion-begun": "began to delete| it",
    "storage.deletion-undone": "put back what a deletion had removed",
    "storage.locked": "locked the record",
    "storage.moved": "moved it to {root}",
    "storage.registered": "registered| it",
    "storage.taken-over": "took it over from {instance}",
    "storage.unlocked": "unlocked the record",
}

#: What a retry begins, by what it takes.
_RETRIED = {
    "changes": "began to copy what changed",
    "chosen": "began to retry single objects",
    "rest": "went on with the pass",
}

_TONES = {
    "migration.failed": "bad",
    "migration.fence-lifted": "warn",
    "migration.rollback-stuck": "warn",
    "migration.stopped": "warn",
}
_GOOD = frozenset({"migration.cut-over", "migration.released", "migration.rolled-back", "migration.verified"})


#: What names leave out: where an S3-compatible root lies is in the title.
_ENDPOINT = re.compile(r"\?endpoint_url=\S+")


class _Values(dict[str, Any]):
    def __missing__(self, name: str) -> str:
        return name


def _phrase(action: str, after: Mapping[str, Any] | None = None, before: Mapping[str, Any] | None = None) -> str:
    known = PHRASES.get(action) or action.partition(".")[2].replace("-", " ")
    if action == "migration.retried":
        known = _RETRIED.get((after or {}).get("kind", ""), known)
    return short_name(known.format_map(_Values({**(before or {}), **(after or {})})))


def short_name(text: str) -> str:
    """Return a root, or a move from one to another, without endpoints."""
    return _ENDPOINT.sub("", text)


def title(row: EventRow) -> str:
    """Return an event as a column of its own says it: `Connected`, `Gave priya write`."""
    words = _phrase(row.action, row.after, row.before).partition("|")[0]
    return words[:1].upper() + words[1:]


def choice(action: str) -> str:
    """Return an action as a filter offers it: `storage: connected`."""
    words = PHRASES.get(action) or action.partition(".")[2].replace("-", " ")
    for name, meaning in (("{handle}", "somebody"), ("{role}", "a role"), ("{scope}", "a bucket"), ("{root}", "a root"),
                          ("{default}", "a location"),
                          (" {space}", ""),
                          (" to {database}", ""), (" from {database}", ""), ("{instance}", "an instance")):  # fmt: skip
        words = words.replace(name, meaning)
    return f"{action.partition('.')[0].replace('-', ' ')}: {words.partition('|')[0]}"


def sentence(row: EventRow) -> Markup:
    """Return an event about a known thing: `Maria Ortiz connected it`, the name bold."""
    about = _phrase(row.action, row.after, row.before).replace("|", "")
    return Markup("<b>{}</b> {}").format(row.actor_name or row.actor, about)


def story(row: StoryRow) -> Markup:
    """Return a line of a migration's story; what the runner did needs no name."""
    about = _phrase(f"migration.{row.words.replace(' ', '-')}", row.said).replace("|", "")
    detail = story_line(row.words, row.said)
    if row.via == "runner":
        return Markup("{}{}").format(about[:1].upper() + about[1:], detail)
    return Markup("<b>{}</b> {}{}").format(row.actor, about, detail)


def tone(action: str) -> str:
    """Return the mark of an event in a story: ok, warn, bad or mute."""
    return "ok" if action in _GOOD else _TONES.get(action, "mute")


def register(app: Flask) -> None:
    """Give templates the words."""
    app.jinja_env.filters.update(
        event_title=title, event_sentence=sentence, story_sentence=story, event_tone=tone, short_name=short_name
    )
