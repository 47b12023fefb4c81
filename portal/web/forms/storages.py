"""Forms about one storage location."""

from wtforms import BooleanField, HiddenField, SelectField, StringField, TextAreaField

from portal.services.storages.edit import StorageEdit
from portal.values import Branch
from portal.web.forms.base import BaseForm

BRANCHES = {"main": Branch.MAIN, "archive": Branch.ARCHIVE, "trash": Branch.TRASH}


class StorageForm(BaseForm):
    """What can be changed of a record. `version` is that of the record the person saw."""

    description = TextAreaField("Description")
    space = SelectField("Space")
    branch = SelectField("Branch", choices={name: name for name in BRANCHES})
    host = StringField("Host", render_kw={"list": "hosts", "autocapitalize": "none", "spellcheck": "false"})
    is_default = BooleanField("Default location of the instance")
    with_artifacts = BooleanField("Take its artifacts in the instance along into the new space")
    version = HiddenField()

    def to_edit(self, *, may_manage: bool) -> StorageEdit:
        """Return the change; without `may_manage` only the description is one."""
        seen = self.version.data or ""
        version = int(seen) if seen.isdecimal() and len(seen) < 19 else None
        if not may_manage:
            return StorageEdit(description=self.description.data or "", version=version)
        return StorageEdit(
            description=self.description.data or "",
            space=self.space.data or None,
            is_default=bool(self.is_default.data),
            branch=BRANCHES[self.branch.data],
            host=self.host.data or None,
            version=version,
        )


class ConfirmForm(BaseForm):
    """What is typed to confirm a deletion."""

    confirm = StringField("Confirm")
