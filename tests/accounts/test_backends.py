"""What somebody may do, in one question."""

import pytest
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import AnonymousUser, Permission

from apps.accounts.models import User
from tests import factories


def again(user) -> User:
    return User.objects.get(pk=user.pk)


def test_rights_come_from_groups_and_from_what_one_was_given_alone(ines, otto, django_assert_num_queries):
    otto.user_permissions.add(Permission.objects.get(codename="predict"))
    for user in (ines, otto):
        found, expected = again(user), ModelBackend().get_all_permissions(again(user))
        with django_assert_num_queries(1):
            assert found.get_all_permissions() == expected
            assert found.has_perm("cases.change_case")
    assert again(otto).has_perm("detection.predict")
    assert not again(ines).has_perm("detection.predict")


def test_a_superuser_may_everything(db):
    boss = factories.UserFactory(is_superuser=True)
    assert boss.get_all_permissions() == ModelBackend().get_all_permissions(again(boss))
    assert boss.has_perm("anything.at_all")


@pytest.mark.django_db
def test_who_was_put_out_and_who_never_logged_in_may_nothing(ines):
    ines.is_active = False
    assert not ines.get_all_permissions()
    assert not ines.has_perm("cases.view_case")
    assert not AnonymousUser().has_perm("cases.view_case")
