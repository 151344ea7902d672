import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

COUNT_HITS = """
INSERT INTO readings_hitcount (zone_id, rule, day, begun, ended)
SELECT coalesce(consumer.zone_id, feeder.zone_id), told.rule, told.day, sum(told.begun), sum(told.ended)
FROM (
    SELECT meter_id, rule, day AS at, day, 1 AS begun, 0 AS ended FROM readings_validationhit
    UNION ALL
    SELECT meter_id, rule, day AS at, last_day, 0, 1 FROM readings_validationhit
) AS told
LEFT JOIN grid_installation installation ON installation.meter_id = told.meter_id AND installation.valid @> told.at
LEFT JOIN grid_consumer consumer ON consumer.id = installation.consumer_id
LEFT JOIN grid_transformer transformer ON transformer.sum_meter_id = told.meter_id
LEFT JOIN grid_feeder feeder ON feeder.id = transformer.feeder_id
GROUP BY 1, 2, 3
"""


class Migration(migrations.Migration):
    dependencies = [
        ("grid", "0003_reference"),
        ("readings", "0006_rules_inherit_their_switch"),
    ]

    operations = [
        migrations.CreateModel(
            name="HitCount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("rule", models.CharField(max_length=32, verbose_name="rule")),
                ("day", models.DateField(verbose_name="day")),
                ("begun", models.PositiveIntegerField()),
                ("ended", models.PositiveIntegerField()),
                (
                    "zone",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="grid.zone",
                        verbose_name="zone",
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="hitcount",
            constraint=models.UniqueConstraint(
                fields=("day", "zone", "rule"), name="one_count_per_day_zone_and_rule", nulls_distinct=False
            ),
        ),
        migrations.AddField(
            model_name="meterstate",
            name="stays",
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="validationshard",
            name="hit_days",
            field=django.contrib.postgres.fields.ArrayField(base_field=models.DateField(), default=list, size=None),
        ),
        migrations.AddIndex(
            model_name="validationhit",
            index=models.Index(fields=["-last_day", "-day", "id"], name="hit_newest_first"),
        ),
        migrations.AddIndex(
            model_name="validationhit",
            index=models.Index(fields=["day"], name="hit_by_first_day"),
        ),
        migrations.RunSQL(COUNT_HITS, migrations.RunSQL.noop),
    ]
