import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import apps.readings.models


class Migration(migrations.Migration):
    dependencies = [
        ("grid", "0002_unassigned_zone"),
        ("readings", "0002_events_registers_validation_and_withdrawal"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Completeness",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField(verbose_name="day")),
                ("meters", models.PositiveIntegerField(verbose_name="meters")),
                ("silent", models.PositiveIntegerField(verbose_name="meters without any reading")),
                ("expected", models.PositiveBigIntegerField(verbose_name="expected readings")),
                ("came", models.PositiveBigIntegerField(verbose_name="readings that came")),
            ],
            options={
                "verbose_name": "completeness",
                "verbose_name_plural": "completeness",
            },
        ),
        migrations.CreateModel(
            name="Estimate",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "channel",
                    models.SmallIntegerField(choices=[(1, "import"), (2, "export")], default=1, verbose_name="channel"),
                ),
                (
                    "method",
                    models.CharField(
                        choices=[
                            ("linear", "straight line between its neighbours"),
                            ("history", "same weekday and time of the last three weeks"),
                        ],
                        max_length=16,
                        verbose_name="method",
                    ),
                ),
                ("day", models.DateField(verbose_name="day")),
                ("slots", models.PositiveIntegerField()),
                ("kwh", models.FloatField(verbose_name="kWh")),
            ],
            options={
                "verbose_name": "estimate",
                "verbose_name_plural": "estimates",
                "ordering": ["-day", "meter"],
            },
        ),
        migrations.CreateModel(
            name="ReadingEdit",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "channel",
                    models.SmallIntegerField(choices=[(1, "import"), (2, "export")], default=1, verbose_name="channel"),
                ),
                ("day", models.DateField(verbose_name="day")),
                (
                    "verb",
                    models.CharField(
                        choices=[("suspect", "marked as suspect"), ("substitute", "substituted by an estimate")],
                        max_length=16,
                        verbose_name="what was done",
                    ),
                ),
                ("note", models.CharField(blank=True, max_length=200, verbose_name="why")),
                ("at", models.DateTimeField(auto_now_add=True, verbose_name="at")),
                (
                    "quality_before",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.SmallIntegerField(), null=True, size=None
                    ),
                ),
                (
                    "estimated_kwh_before",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=apps.readings.models.RealField(), null=True, size=None
                    ),
                ),
                ("undone_at", models.DateTimeField(null=True, verbose_name="undone")),
            ],
            options={
                "verbose_name": "edit of readings",
                "verbose_name_plural": "edits of readings",
                "ordering": ["-at"],
            },
        ),
        migrations.CreateModel(
            name="ValidationShard",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "meter_ids",
                    django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[("pending", "pending"), ("done", "done"), ("failed", "failed")],
                        default="pending",
                        max_length=16,
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("error", models.TextField(blank=True)),
                ("first_day", models.DateField(null=True)),
                ("last_day", models.DateField(null=True)),
            ],
        ),
        migrations.AddField(
            model_name="meterstate",
            name="unvalidated_from",
            field=models.DateField(null=True),
        ),
        migrations.AddField(
            model_name="meterstate",
            name="unvalidated_until",
            field=models.DateField(null=True),
        ),
        migrations.AddField(
            model_name="meterstate",
            name="week_key",
            field=models.BigIntegerField(null=True),
        ),
        # Nothing that is stored was validated yet.
        migrations.RunSQL(
            "UPDATE readings_meterstate SET unvalidated_from = first_day, unvalidated_until = last_day",
            migrations.RunSQL.noop,
        ),
        migrations.AddIndex(
            model_name="meterstate",
            index=models.Index(
                condition=models.Q(("revision__gt", models.F("validated_revision"))),
                fields=["unvalidated_from"],
                name="unvalidated",
            ),
        ),
        migrations.AddIndex(
            model_name="meterstate",
            index=models.Index(
                condition=models.Q(("week_key__isnull", False)), fields=["week_key"], name="state_by_week_key"
            ),
        ),
        migrations.AddField(
            model_name="completeness",
            name="zone",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="grid.zone", verbose_name="zone"
            ),
        ),
        migrations.AddField(
            model_name="estimate",
            name="meter",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="estimates",
                to="grid.meter",
                verbose_name="meter",
            ),
        ),
        migrations.AddField(
            model_name="readingedit",
            name="by",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="by",
            ),
        ),
        migrations.AddField(
            model_name="readingedit",
            name="meter",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="edits", to="grid.meter", verbose_name="meter"
            ),
        ),
        migrations.AddField(
            model_name="readingedit",
            name="undone_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="undone by",
            ),
        ),
        migrations.AddField(
            model_name="readingedit",
            name="upload",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="readings.upload",
            ),
        ),
        migrations.AddIndex(
            model_name="completeness",
            index=models.Index(fields=["day"], name="completeness_by_day"),
        ),
        migrations.AddConstraint(
            model_name="completeness",
            constraint=models.UniqueConstraint(fields=("zone", "day"), name="one_completeness_per_zone_and_day"),
        ),
        migrations.AddIndex(
            model_name="estimate",
            index=models.Index(fields=["meter", "channel", "day"], name="estimate_of_meter_and_day"),
        ),
        migrations.AddIndex(
            model_name="readingedit",
            index=models.Index(fields=["meter", "channel", "day"], name="edit_of_meter_and_day"),
        ),
        migrations.AddConstraint(
            model_name="readingedit",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("undone_at", None), ("undone_by", None)),
                    models.Q(("undone_at__isnull", False), ("undone_by__isnull", False)),
                    _connector="OR",
                ),
                name="undone_edit_says_when_and_by_whom",
            ),
        ),
    ]
