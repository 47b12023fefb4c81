"""Forms about connections. A secret is never filled in again."""

from wtforms import PasswordField, StringField
from wtforms.validators import InputRequired

from portal.services.connection_care import NewSecret
from portal.web.forms.base import BaseForm


class ScopeForm(BaseForm):
    """A bucket, or a prefix in one, that a connection may serve."""

    scope = StringField("Bucket or folder", [InputRequired("Type bucket or bucket/folder.")])


class SecretForm(BaseForm):
    """An access key that takes the place of another."""

    access_key_id = StringField(
        "Access key id", [InputRequired("Type the access key id.")], render_kw={"autocomplete": "off"}
    )
    secret_access_key = PasswordField(
        "Secret access key", [InputRequired("Type the secret access key.")], render_kw={"autocomplete": "off"}
    )

    def to_input(self) -> NewSecret:
        """Return the key the form holds."""
        return NewSecret(self.access_key_id.data or "", self.secret_access_key.data or "")
