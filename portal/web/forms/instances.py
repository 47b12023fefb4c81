"""Forms about instances."""

from wtforms import SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired

from portal.services.instances import NewInstance
from portal.web.forms.base import BaseForm


class InstanceForm(BaseForm):
    """An instance to make. The owners offered are those the person acts for."""

    owner = SelectField("Owner")
    name = StringField("Name", [InputRequired("An instance needs a name.")])
    description = TextAreaField("Description")

    def to_input(self) -> NewInstance:
        """Return the instance the form describes."""
        return NewInstance(self.name.data or "", self.description.data or "", self.owner.data or None)


class AttachForm(BaseForm):
    """A space to attach. The spaces offered are those the person manages."""

    space = SelectField("Space", [InputRequired("Choose a space.")])
