import pytest

from portal.errors import InputError
from portal.planning.names import check_handle, check_instance_name, check_space_name


@pytest.mark.parametrize("handle", ["ada", "a1", "ada-l", "x" * 39, "2b"])
def test_it_takes_a_plain_handle(handle: str) -> None:
    assert check_handle(f" {handle} ") == handle


@pytest.mark.parametrize("handle", ["", "a", "Ada", "-ada", "ada-", "a--b", "a_b", "a.b", "ä-b", "x" * 40, "a/b"])
def test_it_refuses_a_handle_that_breaks_the_rule(handle: str) -> None:
    with pytest.raises(InputError, match="2 to 39") as caught:
        check_handle(handle)
    assert caught.value.field == "handle"


@pytest.mark.parametrize("handle", ["infrastructure", "storages", "people", "static", "api", "healthz", "all"])
def test_it_refuses_route_words(handle: str) -> None:
    with pytest.raises(InputError, match="addresses"):
        check_handle(handle)


def test_it_takes_the_route_words_it_is_given() -> None:
    assert check_handle("infrastructure", reserved=()) == "infrastructure"
    with pytest.raises(InputError):
        check_handle("ada", reserved={"ada"})


@pytest.mark.parametrize("name", ["mydata", "My_data-2.1", "x"])
def test_it_takes_a_plain_instance_name(name: str) -> None:
    assert check_instance_name(name) == name


@pytest.mark.parametrize("name", ["", "a--b", "-a", "a/b", "a b", "x" * 101])
def test_it_refuses_an_instance_name_that_lamindb_could_not_file(name: str) -> None:
    with pytest.raises(InputError, match="name of an instance"):
        check_instance_name(name)


def test_it_folds_white_space_in_a_space_name() -> None:
    assert check_space_name("  Our   lab ") == "Our lab"


@pytest.mark.parametrize(
    ("name", "reason"), [("", "1 to 100"), ("x" * 101, "1 to 100"), ("a\x00", "1 to 100"), ("All", "every")]
)
def test_it_refuses_a_space_name(name: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        check_space_name(name)
