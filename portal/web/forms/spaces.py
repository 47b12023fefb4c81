"""Forms about spaces and roles."""

from wtforms import SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired

from portal.services.spaces import NewSpace
from portal.values import Role
from portal.web.forms.base import BaseForm

ROLE_CHOICES = {role.value: role.value for role in Role}


class SpaceForm(BaseForm):
    """A space to make. The owners offered are those the person acts for."""

    name = StringField("Name", [InputRequired("A space needs a name.")])
    owner = SelectField("Owner")
    description = TextAreaField("Description")

    def to_input(self) -> NewSpace:
        """Return the space the form describes."""
        return NewSpace(self.name.data or "", self.description.data or "", self.owner.data or None)


class DescriptionForm(BaseForm):
    """What something is for."""

    description = TextAreaField("Description")


class RoleForm(BaseForm):
    """Somebody's role."""

    handle = StringField(
        "Handle", [InputRequired("Type a handle.")], render_kw={"autocapitalize": "none", "spellcheck": "false"}
    )
    role = SelectField("Role", choices=ROLE_CHOICES)

    def to_role(self) -> Role:
        """Return the chosen role."""
        return Role(self.role.data)
