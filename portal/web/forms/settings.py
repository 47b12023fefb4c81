"""Forms on the settings page."""

from wtforms import StringField
from wtforms.validators import InputRequired

from portal.web.forms.base import BaseForm


class GrantForm(BaseForm):
    """A root that the server may reach, opened to an account."""

    handle = StringField(
        "Handle", [InputRequired("Type a handle.")], render_kw={"autocapitalize": "none", "spellcheck": "false"}
    )
    root = StringField("Root", [InputRequired("Type s3://bucket/prefix or a directory.")])
