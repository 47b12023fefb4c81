"""Forms about moving roots."""

from wtforms import BooleanField, SelectField, StringField
from wtforms.validators import InputRequired

from portal.errors import PortalError
from portal.services.migrations import CutOver, NewMigration
from portal.web.forms.base import BaseForm

#: The choice that stands for a directory instead of a connection.
LOCAL = "local"


class MoveForm(BaseForm):
    """Where a root moves to: a connection and an address below what it serves, or a directory and its host."""

    target_connection_uid = SelectField("Target")
    target_root = StringField("New root", [InputRequired("Type the new root.")])
    target_host = SelectField("Host of the directory")

    def add_problem(self, error: PortalError) -> None:
        """Put an error on the field it names; the services call a connection's field by a shorter name."""
        if error.field == "connection_uid":
            error.field = "target_connection_uid"
        super().add_problem(error)

    def to_input(self, storage_uid: str) -> NewMigration:
        """Return the move the form describes."""
        is_local = self.target_connection_uid.data == LOCAL
        return NewMigration(
            storage_uid=storage_uid,
            target_root=(self.target_root.data or "").strip(),
            target_connection_uid=None if is_local else self.target_connection_uid.data,
            target_host=self.target_host.data if is_local else None,
        )


class CutOverForm(BaseForm):
    """The typed confirmation of a cut-over."""

    confirm = StringField("Name")
    registry_changed = BooleanField("I change the instance's registry as shown")

    def to_input(self) -> CutOver:
        """Return what was confirmed."""
        return CutOver(self.confirm.data or "", bool(self.registry_changed.data))
