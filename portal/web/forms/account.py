"""Forms about one's own account and about people."""

from typing import Any

from wtforms import EmailField, PasswordField, StringField
from wtforms.validators import InputRequired

from portal.services.accounts import NewAccount
from portal.web.forms.base import BaseForm

_HANDLE = {"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}
_NEW_PASSWORD = {"autocomplete": "new-password"}


class SignInForm(BaseForm):
    """Handle (or e-mail address) and password."""

    handle = StringField("Handle or e-mail", [InputRequired("Type your handle or e-mail address.")], render_kw=_HANDLE)
    password = PasswordField(
        "Password", [InputRequired("Type your password.")], render_kw={"autocomplete": "current-password"}
    )


class AccountForm(BaseForm):
    """A person to add, in fields named as those of `NewAccount`; all that is wrong is told at once."""

    def to_input(self) -> NewAccount:
        """Return the account the form describes."""
        raise NotImplementedError

    def validate(self, extra_validators: Any = None) -> bool:
        """Check every field; what a field says by itself comes first."""
        super().validate(extra_validators)
        for problem in self.to_input().problems():
            if problem.field not in self.errors:
                self.add_problem(problem)
        return not self.is_faulty


class SetupForm(AccountForm):
    """The first portal admin."""

    handle = StringField("Handle", [InputRequired("Choose a handle.")], render_kw=_HANDLE)
    name = StringField("Name", render_kw={"autocomplete": "name"})
    email = EmailField("E-mail", render_kw={"autocomplete": "email"})
    password = PasswordField("Password", [InputRequired("Choose a password.")], render_kw=_NEW_PASSWORD)

    def to_input(self) -> NewAccount:
        """Return the account the form describes."""
        return NewAccount(
            handle=(self.handle.data or "").strip().lower(),
            email=(self.email.data or "").strip() or None,
            name=(self.name.data or "").strip(),
            password=self.password.data or "",
            is_portal_admin=True,
        )


class PasswordLinkForm(BaseForm):
    """A password chosen through a one-time link."""

    password = PasswordField("New password", [InputRequired("Choose a password.")], render_kw=_NEW_PASSWORD)


class ChangePasswordForm(PasswordLinkForm):
    """A new password for somebody who knows the old one."""

    old_password = PasswordField(
        "Present password",
        [InputRequired("Type your present password.")],
        render_kw={"autocomplete": "current-password"},
    )


class DetailsForm(BaseForm):
    """One's own name and address."""

    name = StringField("Name", render_kw={"autocomplete": "name"})
    email = EmailField("E-mail", render_kw={"autocomplete": "email"})
