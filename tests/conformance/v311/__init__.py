"""Tests of the MQTT 3.1.1 statements, and of 3.1 where it differs."""
