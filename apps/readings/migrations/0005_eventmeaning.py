from django.db import migrations, models

CODES = [
    ("cover_opened", "cover opened"),
    ("cover_closed", "cover closed"),
    ("terminal_cover_opened", "terminal cover opened"),
    ("terminal_cover_closed", "terminal cover closed"),
    ("magnetic_field", "strong magnetic field"),
    ("magnetic_field_gone", "magnetic field gone"),
    ("tamper_suspected", "tampering suspected"),
    ("reverse_rotation", "reverse rotation"),
    ("currents_unequal", "phase and neutral current unequal"),
    ("current_without_voltage", "current in absence of voltage"),
    ("load_side_voltage", "voltage behind an open switch"),
    ("unexpected_export", "unexpected export of energy"),
    ("login_failed", "failed log-ins"),
    ("configuration_changed", "configuration changed"),
    ("key_changed", "key changed"),
    ("decryption_failed", "decryption failed"),
    ("replay_attack", "replayed message"),
    ("sub_meter_fraud", "fraud attempt at a sub-meter"),
    ("disconnected", "disconnected"),
    ("connected", "connected"),
    ("power_outage", "power outage"),
    ("power_restored", "power restored"),
    ("clock_set", "clock set"),
    ("clock_invalid", "clock invalid"),
    ("battery_low", "battery low"),
    ("log_cleared", "event log cleared"),
    ("measurement_fault", "measurement system error"),
    ("other", "other"),
]


class Migration(migrations.Migration):
    dependencies = [
        ("readings", "0004_validation"),
    ]

    operations = [
        migrations.CreateModel(
            name="EventMeaning",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("source_code", models.CharField(max_length=64, unique=True, verbose_name="code of the sender")),
                ("code", models.CharField(choices=CODES, max_length=32, verbose_name="event")),
            ],
            options={
                "verbose_name": "meaning of an event's code",
                "verbose_name_plural": "meanings of events' codes",
                "ordering": ["source_code"],
            },
        ),
    ]
