"""Tests of the MQTT 5.0 statements."""
