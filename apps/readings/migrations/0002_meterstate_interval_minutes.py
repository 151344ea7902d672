from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("readings", "0001_initial")]

    operations = [
        migrations.AddField("meterstate", "interval_minutes", models.PositiveSmallIntegerField(default=60), False)
    ]
