from django.db import migrations


def add_unassigned(apps, schema_editor):
    apps.get_model("grid", "Zone").objects.get_or_create(code="UNASSIGNED", defaults={"name": "Unassigned"})


class Migration(migrations.Migration):
    dependencies = [("grid", "0001_initial")]

    operations = [migrations.RunPython(add_unassigned, migrations.RunPython.noop)]
