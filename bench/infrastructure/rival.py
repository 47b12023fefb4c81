"""The same table by Flask-Admin: in the same app, behind the same sign-in, over the same rows and indexes."""

from collections.abc import Mapping
from typing import Any

from flask import Flask
from flask_admin import Admin
from flask_admin.contrib.sqla import ModelView
from flask_admin.contrib.sqla.filters import FilterEqual
from sqlalchemy import ColumnElement

from portal.database import db
from portal.models import Storage
from portal.services.access import visible_storages
from portal.values import Mode, StorageType
from portal.web import gate

URL = "/rival/storage/"

COLUMNS = (
    "root",
    "type",
    "sort_place",
    "space.name",
    "instance.slug",
    "mode",
    "is_default",
    "last_check_at",
    "created_by.handle",
    "created_at",
)

#: Our name of an order → Flask-Admin's number of the column.
COLUMN_NUMBERS = {"root": 0, "type": 1, "place": 2, "space": 3, "instance": 4, "mode": 5, "checked": 7, "by": 8}


class StorageView(ModelView):  # type: ignore[misc]  # Flask-Admin's types are not looked at
    """Ten columns, our search, our six filters and our access filter."""

    can_create = can_edit = can_delete = False
    page_size = 50
    column_list = COLUMNS
    column_sortable_list = (
        "root",
        "type",
        "sort_place",
        ("space.name", "sort_space"),
        ("instance.slug", "sort_instance"),
        "mode",
        "is_default",
        "last_check_at",
        ("created_by.handle", "sort_creator"),
        "created_at",
    )
    column_default_sort = "root"
    column_searchable_list = ("root", "description", "uid")
    column_filters = (
        FilterEqual(Storage.type, "Type", options=[(kind.value, kind.value) for kind in StorageType]),
        FilterEqual(Storage.mode, "Mode", options=[(mode.value, mode.value) for mode in Mode]),
        "branch_id",
        "sort_space",
        "sort_instance",
        "sort_place",
    )
    column_select_related_list = (Storage.space, Storage.instance, Storage.host, Storage.created_by)

    def get_query(self) -> Any:
        """Return the locations the signed-in person may see, without those put away."""
        return super().get_query().filter(*_seen())

    def get_count_query(self) -> Any:
        """Return the query for their number."""
        return super().get_count_query().filter(*_seen())


def _seen() -> tuple[ColumnElement[bool], ...]:
    return visible_storages(gate.actor()), Storage.branch_id >= 1


def register(app: Flask) -> None:
    """Put Flask-Admin on an app that has served no request yet."""
    admin = Admin(app, name="Rival", url="/rival")
    admin.add_view(StorageView(Storage, db.session, endpoint="rival_storage", url=URL.rstrip("/")))


def address(case: Mapping[str, Any]) -> str:
    """Return the address of a case: search, sort and page number."""
    sort = case.get("sort", "root")
    parts = [f"sort={COLUMN_NUMBERS[sort.removeprefix('-')]}"]
    if sort.startswith("-"):
        parts.append("desc=1")
    if "text" in case:
        parts.append(f"search={case['text']}")
    if "page" in case:
        parts.append(f"page={case['page']}")
    return f"{URL}?{'&'.join(parts)}"
