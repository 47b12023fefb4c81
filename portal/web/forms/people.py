"""Forms about people and organisations."""

from wtforms import BooleanField, EmailField, StringField
from wtforms.validators import InputRequired

from portal.services.accounts import NewAccount
from portal.services.organisations import NewOrganisation
from portal.web.forms.account import AccountForm
from portal.web.forms.base import BaseForm

_HANDLE = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}


class PersonForm(AccountForm):
    """A person to add; a one-time link lets the person choose a password."""

    handle = StringField("Handle", [InputRequired("Choose a handle.")], render_kw=_HANDLE)
    name = StringField("Name", render_kw={"autocomplete": "off"})
    email = EmailField("E-mail", render_kw={"autocomplete": "off"})
    is_portal_admin = BooleanField("Portal admin")

    def to_input(self) -> NewAccount:
        """Return the account the form describes."""
        return NewAccount(
            handle=(self.handle.data or "").strip().lower(),
            email=(self.email.data or "").strip() or None,
            name=(self.name.data or "").strip(),
            is_portal_admin=bool(self.is_portal_admin.data),
        )


class OrganisationForm(BaseForm):
    """An organisation to make."""

    handle = StringField("Handle", [InputRequired("Choose a handle.")], render_kw=_HANDLE)
    name = StringField("Name", render_kw={"autocomplete": "organization"})

    def to_input(self) -> NewOrganisation:
        """Return the organisation the form describes."""
        return NewOrganisation(self.handle.data or "", self.name.data or "")


class NameForm(BaseForm):
    """What an organisation is called."""

    name = StringField("Name")
