"""Conformance suite: every numbered normative statement of the MQTT standards, tested over a socket."""
