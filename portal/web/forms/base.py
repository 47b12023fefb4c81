"""The base of all forms: errors of services land on the field they name."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from wtforms import Field, Form

from portal.errors import (
    Conflict,
    InputError,
    NotFound,
    PortalError,
    Refused,
    RegistryError,
    SignInFailed,
    StorageError,
)

#: Errors that re-render the form they came from. Others (no right, no such thing) answer with a page.
FORM_ERRORS: tuple[type[PortalError], ...] = (
    InputError,
    Conflict,
    Refused,
    RegistryError,
    SignInFailed,
    StorageError,
)


class BaseForm(Form):
    """A form whose `form_errors` belong to no single field; templates show them in the summary on top."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.form_errors: list[str] = []

    @contextmanager
    def catching(self) -> Iterator[None]:
        """Put an error raised in the block on the field it names, so that the view can render the form with 422."""
        try:
            yield
        except FORM_ERRORS as error:
            self.add_problem(error)
        except NotFound as error:
            # Something named in a field of this form; anything else that is not there is a page that is not there.
            if error.field not in self._fields:
                raise
            self.add_problem(error)

    def add_problem(self, error: PortalError) -> None:
        """Put an error on the field it names, or on top of the form."""
        field: Field | None = self._fields.get(error.field or "")
        if field is None:
            self.form_errors.append(str(error))
        else:
            field.errors = [*field.errors, str(error)]

    @property
    def is_faulty(self) -> bool:
        """Tell whether anything is wrong with the form."""
        return bool(self.form_errors) or any(field.errors for field in self)
