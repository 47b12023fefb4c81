"""Forms about moving roots."""

from typing import Any

from wtforms import BooleanField, SelectField, StringField, ValidationError

from portal.errors import PortalError
from portal.services.migrations import CutOver, NewMigration
from portal.web.forms.base import BaseForm

#: The choice that stands for a directory instead of a connection, and the one for a location that is not listed.
LOCAL = "local"
OTHER = ("", "Another one, by its uid")

REWRITE, REPOINT = "rewrite", "repoint"


class MoveForm(BaseForm):
    """Where a root moves to.

    Rewriting needs an address below what a connection serves, or a directory and its host; re-pointing another
    location of the instance. Only the fields of the chosen strategy count.
    """

    strategy = StringField("How it moves", default=REWRITE)
    target_connection_uid = SelectField("Target", validate_choice=False)
    target_root = StringField("New root")
    target_host = SelectField("Host of the directory", validate_choice=False)
    target_storage = SelectField("Location", default=OTHER[0], validate_choice=False)
    target_storage_uid = StringField("Its uid")
    leaves_unreferenced = BooleanField("Leave behind objects that no artifact refers to")

    @property
    def is_repoint(self) -> bool:
        """Tell whether artifacts are to be re-pointed."""
        return bool(self.strategy.data == REPOINT)

    def validate_target_connection_uid(self, field: Any) -> None:
        """Refuse a connection that was not offered, where it counts."""
        if not self.is_repoint and field.data not in dict(field.choices):
            raise ValidationError("Choose one of your connections, or a directory.")

    def validate_target_root(self, field: Any) -> None:
        """Refuse an empty root, where it counts."""
        if not self.is_repoint and not (field.data or "").strip():
            raise ValidationError("Type the new root.")

    def validate_target_host(self, field: Any) -> None:
        """Refuse a host that was not offered, where it counts."""
        is_local = not self.is_repoint and self.target_connection_uid.data == LOCAL
        if is_local and field.data not in dict(field.choices):
            raise ValidationError("Choose one of the hosts.")

    def validate_target_storage_uid(self, field: Any) -> None:
        """Refuse neither a chosen location nor a typed one."""
        if self.is_repoint and not self.target_storage.data and not (field.data or "").strip():
            raise ValidationError("Choose a location above, or type the uid of another one.")

    def add_problem(self, error: PortalError) -> None:
        """Put an error on the field it names; the services call some by the name of the other strategy."""
        if error.field == "connection_uid":
            error.field = "target_connection_uid"
        if self.is_repoint and error.field in {"target_root", "storage"}:
            error.field = "target_storage" if self.target_storage.data else "target_storage_uid"
        super().add_problem(error)

    def fill(self, given: NewMigration) -> None:
        """Fill the form with a move as it was asked for before; what is not offered any more stays as it is."""
        self.strategy.data, self.leaves_unreferenced.data = given.strategy, given.leaves_unreferenced
        if self.is_repoint:
            is_listed = _offers(self.target_storage, given.target_root)
            self.target_storage.data = given.target_root if is_listed else OTHER[0]
            self.target_storage_uid.data = "" if is_listed else given.target_root
            return
        self.target_root.data = given.target_root
        for field, value in (
            (self.target_connection_uid, given.target_connection_uid or LOCAL),
            (self.target_host, given.target_host),
        ):
            if _offers(field, value):
                field.data = value

    def to_input(self, storage_uid: str) -> NewMigration:
        """Return the move the form describes."""
        leaves = bool(self.leaves_unreferenced.data)
        if self.is_repoint:
            target = self.target_storage.data or (self.target_storage_uid.data or "").strip()
            return NewMigration(storage_uid, target, strategy=REPOINT, leaves_unreferenced=leaves)
        is_local = self.target_connection_uid.data == LOCAL
        return NewMigration(
            storage_uid=storage_uid,
            target_root=(self.target_root.data or "").strip(),
            target_connection_uid=None if is_local else self.target_connection_uid.data,
            target_host=self.target_host.data if is_local else None,
            strategy=self.strategy.data or REWRITE,
            leaves_unreferenced=leaves,
        )


def _offers(field: Any, value: str | None) -> bool:
    return value in dict(field.choices)


class CutOverForm(BaseForm):
    """The typed confirmation of a cut-over."""

    confirm = StringField("Name")
    registry_changed = BooleanField("I will run this right after the cut-over")

    def to_input(self) -> CutOver:
        """Return what was confirmed."""
        return CutOver(self.confirm.data or "", bool(self.registry_changed.data))
