"""Made-up cities with known theft, for the demo, the tests and the figures."""
