"""The form that connects a bucket. The secret is never filled in again; a sealed token carries it between two tries."""

from wtforms import BooleanField, HiddenField, PasswordField, RadioField, SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired

from portal.services.connect import ConnectS3
from portal.services.vault import Vault
from portal.values import ConnectionKind, Root
from portal.web.forms.base import BaseForm

#: How long a sealed secret is taken back, seconds.
SEALED_SECONDS = 900

#: The choice "make a new connection".
NEW = ""

ACCESS_LABELS = {
    ConnectionKind.ACCESS_KEY: "Access key",
    ConnectionKind.ANONYMOUS: "Anonymous, read-only: everybody can read this bucket",
    ConnectionKind.AMBIENT: "The server's own identity",
}


class ConnectS3Form(BaseForm):
    """A bucket to connect. Choices are set by the view: they depend on who asks."""

    root = StringField("Root", [InputRequired("Type the bucket's address.")])
    endpoint_url = StringField("Endpoint")
    region = StringField("Region")
    connection_uid = SelectField("Connection")
    access = RadioField("Access", default=ConnectionKind.ACCESS_KEY.value)
    access_key_id = StringField("Access key id", render_kw={"autocomplete": "off"})
    secret_access_key = PasswordField("Secret access key", render_kw={"autocomplete": "off"})
    instance = SelectField("Writing instance")
    space = SelectField("Space")
    owner = SelectField("Owner")
    description = TextAreaField("Description")
    is_default = BooleanField("Default location of the instance")
    read_only = BooleanField("Read-only: nothing is tried by writing")
    sealed = HiddenField()

    def to_input(self, *, or_read_only: bool = False) -> ConnectS3:
        """Return the bucket the form describes."""
        return ConnectS3(
            root=self.root.data or "",
            endpoint_url=self.endpoint_url.data or "",
            region=self.region.data or "",
            access=ConnectionKind(self.access.data or ConnectionKind.ACCESS_KEY),
            access_key_id=self.access_key_id.data or "",
            secret_access_key=self.secret_access_key.data or "",
            space=self.space.data or "",
            instance=self.instance.data or "",
            description=self.description.data or "",
            is_default=bool(self.is_default.data),
            read_only=bool(self.read_only.data),
            owner=self.owner.data or "",
            connection_uid=self.connection_uid.data or "",
            or_read_only=or_read_only,
        )

    def take_sealed(self, vault: Vault, account_id: int | None, root: Root | None) -> None:
        """Fill in the secret of the last try, if it was this account's for the same key, endpoint and bucket."""
        if self.secret_access_key.data or not self.sealed.data or root is None:
            return
        kept = vault.unseal(self.sealed.data, max_age_seconds=SEALED_SECONDS)
        secret = kept.pop("secret", "") if kept else ""
        if secret and kept == self._bound_to(account_id, root):
            self.secret_access_key.data = secret

    def seal(self, vault: Vault, account_id: int | None, root: Root) -> None:
        """Put the secret, bound to what it was typed for, into the hidden field."""
        if self.secret_access_key.data and self.access.data == ConnectionKind.ACCESS_KEY:
            bound: dict[str, object] = self._bound_to(account_id, root)
            self.sealed.data = vault.seal({**bound, "secret": self.secret_access_key.data})

    def _bound_to(self, account_id: int | None, root: Root) -> dict[str, object]:
        return {
            "account": account_id,
            "endpoint": root.endpoint_url,
            "bucket": root.bucket,
            "key": (self.access_key_id.data or "").strip(),
        }
