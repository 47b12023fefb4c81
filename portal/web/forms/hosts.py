"""Forms about hosts."""

from wtforms import StringField, TextAreaField
from wtforms.validators import InputRequired

from portal.web.forms.base import BaseForm


class HostForm(BaseForm):
    """A host to add."""

    name = StringField(
        "Name", [InputRequired("A host needs a name.")], render_kw={"autocapitalize": "none", "spellcheck": "false"}
    )
    description = TextAreaField("Description")
