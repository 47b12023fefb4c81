"""The form that registers a directory."""

from wtforms import BooleanField, SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired

from portal.services.register import RegisterLocal
from portal.web.forms.base import BaseForm


class RegisterLocalForm(BaseForm):
    """A directory to register. Choices are set by the view: they depend on who asks."""

    path = StringField("Path", [InputRequired("Type the directory's path.")])
    host = StringField("Host", render_kw={"list": "hosts", "autocapitalize": "none", "spellcheck": "false"})
    instance = SelectField("Writing instance")
    space = SelectField("Space")
    owner = SelectField("Owner")
    description = TextAreaField("Description")
    is_default = BooleanField("Default location of the instance")
    read_only = BooleanField("Read-only: nothing is written, not even the marker")

    def to_input(self) -> RegisterLocal:
        """Return the directory the form describes."""
        return RegisterLocal(
            path=self.path.data or "",
            host=self.host.data or "",
            space=self.space.data or "",
            instance=self.instance.data or "",
            description=self.description.data or "",
            is_default=bool(self.is_default.data),
            read_only=bool(self.read_only.data),
            owner=self.owner.data or "",
        )
