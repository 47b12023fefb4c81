"""Forms about instances' own databases. A URL is never filled in again; a sealed token carries it between two tries."""

from wtforms import BooleanField, HiddenField, PasswordField, StringField

from portal.services.registries.attach import AttachInstance
from portal.services.vault import Vault
from portal.web.forms.base import BaseForm

#: How long a sealed URL is taken back, seconds.
SEALED_SECONDS = 900


class RegistryForm(BaseForm):
    """A database to attach an instance to: a SQLite file or a PostgreSQL URL."""

    path = StringField("SQLite file")
    url = PasswordField("PostgreSQL URL", render_kw={"autocomplete": "off"})
    instance_id = StringField("Instance id")
    is_read_only = BooleanField("Read-only: the portal changes nothing there")
    sealed = HiddenField()

    def to_input(self, slug: str) -> AttachInstance:
        """Return what the form describes, for the instance `slug`."""
        return AttachInstance(
            slug=slug,
            path=self.path.data or "",
            url=self.url.data or "",
            instance_id_hex=self.instance_id.data or "",
            is_read_only=bool(self.is_read_only.data),
            creates=False,
        )

    def take_sealed(self, vault: Vault, account_id: int | None, instance_uid: str) -> None:
        """Fill in the URL of the last try, if it was this account's for the same instance and no file is named now."""
        if self.url.data or self.path.data or not self.sealed.data:
            return
        kept = vault.unseal(self.sealed.data, max_age_seconds=SEALED_SECONDS)
        url = kept.pop("url", "") if kept else ""
        if url and kept == {"account": account_id, "instance": instance_uid}:
            self.url.data = url

    def seal(self, vault: Vault, account_id: int | None, instance_uid: str) -> None:
        """Put the URL, bound to whom and what it was typed for, into the hidden field."""
        bound: dict[str, object] = {"account": account_id, "instance": instance_uid}
        self.sealed.data = vault.seal({**bound, "url": self.url.data}) if self.url.data else ""


class DetachForm(BaseForm):
    """What is typed to confirm."""

    confirm = StringField("Confirm")
