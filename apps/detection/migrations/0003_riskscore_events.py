from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("detection", "0002_chances_balances_and_training"),
    ]

    operations = [
        migrations.AddField(
            model_name="riskscore",
            name="events",
            field=models.JSONField(default=list),
        ),
    ]
